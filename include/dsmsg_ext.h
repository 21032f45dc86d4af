// SPDX-License-Identifier: Apache-2.0
/**
 * @file dsmsg_ext.h
 * @brief Optional extensions of the adaptor contract. A host finds each with dlsym() and works
 * without.
 *
 * Threads and argument rules are those of nvds_msgapi.h.
 */
#ifndef DSMSG_EXT_H_
#define DSMSG_EXT_H_

#include "nvds_msgapi.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One key and value of a message's headers; both are NUL-terminated. */
typedef struct {
  const char* name;
  const char* value;
} DsmsgHeader;

/** A message with everything a broker can carry. Set @c size to sizeof(DsmsgMessage), the rest to
 * 0. */
typedef struct {
  size_t size;                /**< sizeof(DsmsgMessage) of the caller's header */
  const char* topic;          /**< NULL: the configured topic */
  const uint8_t* payload;     /**< copied before the call returns */
  size_t payload_len;         /**< bytes */
  const uint8_t* key;         /**< NULL: the configured key */
  size_t key_len;             /**< bytes */
  const DsmsgHeader* headers; /**< may be NULL */
  size_t num_headers;
  int64_t timestamp_ms; /**< milliseconds since the epoch; 0: now */
  /** NULL: each header's value ends at its NUL; else the bytes of each, which may contain NULs. A
   * caller without this field passes the smaller @c size of its own header. */
  const size_t* header_lens;
} DsmsgMessage;

/** State of the link as reported to a DsmsgLinkCallback. */
typedef enum { DSMSG_LINK_DOWN = 0, DSMSG_LINK_UP = 1 } DsmsgLinkState;

/** On a thread of the adaptor, at each change of the sending link; @p reason is valid meanwhile. */
typedef void (*DsmsgLinkCallback)(void* user_ptr, DsmsgLinkState state, const char* reason);

/** JSON text: protocol, versions, default port, delivery semantics, and the table of all options.
 */
const char* dsmsg_describe(void);

/**
 * Writes the connection's metrics as JSON.
 * @return the length of the whole text without terminator, as snprintf() does; what did not fit in
 *         @p size bytes is cut. 0 for an unknown handle.
 */
size_t dsmsg_stats(NvDsMsgApiHandle h_ptr, char* buffer, size_t size);

/**
 * Writes the last error of a connection with the number of messages lost since connect by reason,
 * or with a NULL handle that of the calling thread's last refused call (for example a connect that
 * returned NULL) or of a connection that it ended with messages lost. Never empty after a message
 * failed. Return value as dsmsg_stats().
 */
size_t dsmsg_last_error(NvDsMsgApiHandle h_ptr, char* buffer, size_t size);

/** Sets or, with NULL, removes the callback for link changes. It is called with the current state
 * first. */
NvDsMsgApiErrorType dsmsg_set_link_callback(NvDsMsgApiHandle h_ptr, DsmsgLinkCallback callback,
                                            void* user_ptr);

/** Waits until every message accepted so far is completed, at most @p timeout_ms; ERR if some
 * remain. */
NvDsMsgApiErrorType dsmsg_flush(NvDsMsgApiHandle h_ptr, int timeout_ms);

/**
 * Reconnects with another endpoint, certificate or password, and keeps the queue: unacknowledged
 * messages are sent again over the new connection (duplicates are possible), subscriptions are
 * renewed, and a later nvds_msgapi_subscribe() uses the new settings. Options of the queue, the
 * spool, dead letters and metrics keep their value until the next connect, and the log names those
 * that would have changed. Legal from inside a callback; it does not wait.
 * @param connection_str NULL or empty: that of nvds_msgapi_connect()
 * @param config_path    NULL or empty: that of nvds_msgapi_connect(), read again
 * @return ERR when the settings are wrong (dsmsg_last_error(); nothing has changed then). OK does
 *         not mean that the new broker was reached: the link callback reports that.
 */
NvDsMsgApiErrorType dsmsg_reload(NvDsMsgApiHandle h_ptr, const char* connection_str,
                                 const char* config_path);

/** nvds_msgapi_send_async() with key, headers and timestamp. */
NvDsMsgApiErrorType dsmsg_send_message(NvDsMsgApiHandle h_ptr, const DsmsgMessage* message,
                                       nvds_msgapi_send_cb_t send_callback, void* user_ptr);

/** One key and value of a received message's headers. A NUL follows the value in memory, and it may
 * contain others. */
typedef struct {
  const char* name; /**< NUL-terminated */
  const uint8_t* value;
  size_t value_len;
} DsmsgReceivedHeader;

/** Whose time a received message has. */
typedef enum {
  DSMSG_TIMESTAMP_UNKNOWN = 0,
  DSMSG_TIMESTAMP_CREATE = 1, /**< the sender's (Kafka's CreateTime, AMQP) */
  DSMSG_TIMESTAMP_APPEND = 2  /**< the broker's (Kafka's LogAppendTime, Redis) */
} DsmsgTimestampType;

/** A received message, valid during the callback. What a protocol does not have is absent: NULL,
 * "" or -1, as said. Fields may be added at the end: read none beyond @c size. */
typedef struct {
  size_t size;       /**< bytes of this structure that the adaptor filled in */
  const char* topic; /**< that it was sent to */
  const uint8_t* payload;
  size_t payload_len; /**< bytes, may be 0 */
  const uint8_t* key; /**< NULL: none */
  size_t key_len;
  const DsmsgReceivedHeader* headers; /**< in the order sent; a name may come twice */
  size_t num_headers;
  int64_t timestamp_ms; /**< milliseconds since the epoch, the sender's or the broker's; -1: none */
  int64_t offset;       /**< Kafka: offset in its partition; -1: none */
  int32_t partition;    /**< Kafka: -1: none */
  int32_t redelivered;  /**< 1: the broker says that it delivered it before (AMQP, Redis groups) */
  const char* id;       /**< Redis: entry id, AMQP: message-id; "": none */
  uint64_t ack;         /**< with DSMSG_MANUAL_ACK: for dsmsg_ack(); else 0 */
  int32_t timestamp_type; /**< DsmsgTimestampType */
} DsmsgReceived;

/** Receives messages: threads and rules of nvds_msgapi_subscribe_request_cb_t. */
typedef void (*DsmsgMessageCallback)(const DsmsgReceived* message, void* user_ctx);

/** Messages are acknowledged with dsmsg_ack(), not when their callback returns. */
#define DSMSG_MANUAL_ACK 1u

/**
 * nvds_msgapi_subscribe() with everything that the broker says about a message. It replaces a
 * subscription made with either function, as a transaction.
 *
 * With DSMSG_MANUAL_ACK a message stays unacknowledged until dsmsg_ack(), in any order, from any
 * thread. At most 1000 messages are received and not acknowledged; then no more come. What was not
 * acknowledged when the connection ends, the broker delivers again:
 * - Kafka commits offsets, so a message counts once all before it in its partition are
 * acknowledged;
 * - Redis (streams with a group): XACK for each; lists and channels have no acknowledgement;
 * - AMQP: basic.ack for each; `prefetch` may end the flow before the 1000 do;
 * - MQTT: PUBACK, in the order received, as the protocol wants it; with clean-session=1 or QoS 0
 * the server keeps nothing, and it is acknowledged when it is received;
 * - NATS (JetStream), Pulsar: each; HTTP: the answer; ZeroMQ: REP replies then, others have none.
 *
 * @param flags 0 or DSMSG_MANUAL_ACK
 */
NvDsMsgApiErrorType dsmsg_subscribe_message(NvDsMsgApiHandle h_ptr, const char* const* topics,
                                            int num_topics, DsmsgMessageCallback callback,
                                            unsigned flags, void* user_ctx);

/**
 * Acknowledges one message of a subscription with DSMSG_MANUAL_ACK. Does not wait. After a
 * reconnect, acknowledgements of earlier messages do nothing: the broker delivers those again.
 * @param ack DsmsgReceived::ack
 * @return ERR if no unacknowledged message has this number (it was acknowledged already)
 */
NvDsMsgApiErrorType dsmsg_ack(NvDsMsgApiHandle h_ptr, uint64_t ack);

/**
 * Receives the log lines of this adaptor, at the level that `log-level` or DSMSG_LOG lets through.
 * On any thread, also on those that have heartbeats to send: it must not wait, and must not call
 * the adaptor. @p text begins with the protocol's name and is valid during the call.
 */
typedef void (*DsmsgLogCallback)(int level, const char* text);

/**
 * Has log lines of all connections of this adaptor go to @p callback, and no longer to DeepStream's
 * log or to stderr; NULL: as before. Levels: 0 error, 1 warning, 2 information, 3 debugging. A call
 * may still be running when this returns, so what the callback uses must last.
 */
void dsmsg_set_log_callback(DsmsgLogCallback callback);

/**
 * The kind of what dsmsg_last_error() tells, for hosts that react to it: "unavailable", "timeout",
 * "auth" (login), "tls", "unknown-topic", "too-large", "rejected", "invalid-argument" (a setting or
 * an argument), "not-supported", "cancelled" (the connection ends), "would-block" (the queue is
 * full), "internal"; "" without an error. Never NULL; constant text.
 */
const char* dsmsg_last_error_kind(NvDsMsgApiHandle h_ptr);

/**
 * Says whether messages sent with @p topic (NULL or empty: none) have somewhere to go: with ERR
 * every such message would be refused, because neither the connection string nor the configuration
 * names a topic and the protocol needs one. Nothing is sent. dsmsg_last_error(NULL) says what to
 * set. For hosts that want to know before the first message.
 */
NvDsMsgApiErrorType dsmsg_check_topic(NvDsMsgApiHandle h_ptr, const char* topic);

/**
 * Checks one setting against this adaptor's table of options, with the rules and the words of
 * nvds_msgapi_connect() for a line of a configuration file. Nothing is connected, logged or read:
 * what `${env:NAME}` and `${file:/path}` stand for is not looked up. Rules between several options
 * are left to nvds_msgapi_connect(). Any thread, at any time; needs no handle.
 * @param name  of the option; dashes and underscores are the same
 * @param value its text, without quotes around it; NULL: only the name is checked
 * @param error says what is wrong and what is allowed, never a secret, "" if nothing is wrong;
 *              @p size bytes, may be NULL
 * @return 0 if the option exists and allows the value, else the length of the whole text, as
 *         dsmsg_stats()
 */
size_t dsmsg_check_option(const char* name, const char* value, char* error, size_t size);

#ifdef __cplusplus
}
#endif

#endif  // DSMSG_EXT_H_
