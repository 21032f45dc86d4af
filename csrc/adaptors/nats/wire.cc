// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace dsmsg::nats {
namespace {

constexpr std::string_view kVersion = "NATS/1.0", kLineEnd = "\r\n", kFirst = "IMHP+-";
constexpr size_t kLongestLine = size_t{1} << 20;     // INFO of a large cluster
constexpr size_t kLargestMessage = size_t{1} << 28;  // a server's max_payload is at most 64 MB
constexpr size_t kKept = size_t{1} << 20;            // of the buffer, after a large message

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view Word(std::string_view* rest) {
  *rest = Trim(*rest);
  const size_t end = std::min(rest->find_first_of(" \t"), rest->size());
  const std::string_view word = rest->substr(0, end);
  rest->remove_prefix(end);
  return word;
}

template <class Number>
bool Parse(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

void AppendNumber(size_t number, std::string* out) {
  std::array<char, 24> digits;
  out->append(digits.data(), std::to_chars(digits.data(), digits.data() + 24, number).ptr);
}

Op Broken(std::string_view why) {
  Op op;
  op.kind = Op::Kind::kBroken;
  op.text = why;
  return op;
}

}  // namespace

int Op::status() const {
  int code = 0;
  std::string_view line = headers.substr(0, headers.find('\r'));
  if (!line.starts_with(kVersion)) return 0;
  line.remove_prefix(kVersion.size());
  return Parse(Word(&line), &code) ? code : 0;
}

std::string_view Op::status_text() const {
  std::string_view line = headers.substr(0, headers.find('\r'));
  Word(&line);  // the version
  Word(&line);  // the number
  return Trim(line);
}

std::string_view Op::header(std::string_view name) const {
  size_t at = headers.find('\n');
  while (at != std::string_view::npos) {
    const std::string_view rest = headers.substr(at + 1);
    if (rest.starts_with(name) && rest.substr(name.size()).starts_with(':')) {
      const std::string_view line = rest.substr(0, rest.find('\r'));
      return Trim(line.substr(name.size() + 1));
    }
    at = headers.find('\n', at + 1);
  }
  return {};
}

char* OpReader::Space(size_t size) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ + size > data_.size() && begin_ > 0) {
    std::memmove(data_.data(), data_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == 0 && data_.size() > kKept) std::vector<char>().swap(data_);
  if (end_ + size > data_.size()) data_.resize(std::max(end_ + size, 2 * end_));
  return data_.data() + end_;
}

Op OpReader::Next() {
  for (;;) {
    const std::string_view rest = unread();
    // Of INFO, MSG, HMSG, PING, +OK and -ERR. Others may send no line at all.
    if (!rest.empty() && kFirst.find(rest.front()) == std::string_view::npos) {
      return Broken("an unknown operation");
    }
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      return rest.size() > kLongestLine ? Broken("a line without end") : Op();
    }
    std::string_view line = Trim(rest.substr(0, end));
    const std::string_view name = Word(&line);
    Op op;
    if (name == "MSG") return Message(line, false, end + 1);
    if (name == "HMSG") return Message(line, true, end + 1);
    if (name == "PING") {
      op.kind = Op::Kind::kPing;
    } else if (name == "PONG") {
      op.kind = Op::Kind::kPong;
    } else if (name == "INFO") {
      op.kind = Op::Kind::kInfo;
      op.text = Trim(line);
    } else if (name == "-ERR") {
      op.kind = Op::Kind::kErr;
      op.text = Trim(line);
      if (op.text.size() > 1 && op.text.front() == '\'') {
        op.text = op.text.substr(1, op.text.size() - 2);
      }
    } else if (name != "+OK") {
      return Broken("an unknown operation");
    }
    begin_ += end + 1;
    if (op.kind != Op::Kind::kNone) return op;
  }
}

// <subject> <sid> [reply] [bytes of the headers] <bytes>
Op OpReader::Message(std::string_view arguments, bool with_headers, size_t body) {
  std::array<std::string_view, 5> words;
  size_t count = 0;
  for (std::string_view word = Word(&arguments); !word.empty(); word = Word(&arguments)) {
    if (count == words.size()) return Broken("a message with too many arguments");
    words[count++] = word;
  }
  const size_t numbers = with_headers ? 2 : 1;
  Op op;
  op.kind = Op::Kind::kMsg;
  size_t headers = 0, total = 0;
  if (count < 2 + numbers || count > 3 + numbers || !Parse(words[1], &op.sid) ||
      !Parse(words[count - 1], &total) || (with_headers && !Parse(words[count - 2], &headers)) ||
      headers > total || total > kLargestMessage) {
    return Broken("a message with wrong arguments");
  }
  const std::string_view rest = unread().substr(body);
  if (rest.size() < total + kLineEnd.size()) return {};
  if (rest.substr(total, kLineEnd.size()) != kLineEnd) return Broken("a message without end");
  op.subject = words[0];
  if (count == 3 + numbers) op.reply = words[2];
  op.headers = rest.substr(0, headers);
  op.payload = rest.substr(headers, total - headers);
  begin_ += body + total + kLineEnd.size();
  return op;
}

std::vector<std::pair<std::string, std::string>> ParseHeaders(std::string_view block) {
  std::vector<std::pair<std::string, std::string>> headers;
  size_t at = block.find('\n');
  while (at != std::string_view::npos && at + 1 < block.size()) {
    const size_t end = block.find('\n', at + 1);
    const std::string_view line = block.substr(at + 1, end - at - 1);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      headers.emplace_back(line.substr(0, colon), Trim(line.substr(colon + 1)));
    }
    at = end;
  }
  return headers;
}

size_t PublishedSize(std::string_view headers, std::string_view payload) {
  if (headers.empty()) return payload.size();
  return kVersion.size() + 2 * kLineEnd.size() + headers.size() + payload.size();
}

void AppendPublish(std::string_view subject, std::string_view reply, std::string_view headers,
                   std::string_view payload, std::string* out) {
  const size_t total = PublishedSize(headers, payload);
  out->append(headers.empty() ? "PUB " : "HPUB ").append(subject).append(" ");
  if (!reply.empty()) out->append(reply).append(" ");
  if (!headers.empty()) {
    AppendNumber(total - payload.size(), out);
    out->append(" ");
  }
  AppendNumber(total, out);
  out->append(kLineEnd);
  if (!headers.empty()) out->append(kVersion).append(kLineEnd).append(headers).append(kLineEnd);
  out->append(payload).append(kLineEnd);
}

}  // namespace dsmsg::nats
