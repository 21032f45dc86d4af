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
} DsmsgMessage;

/** State of the link as told to a DsmsgLinkCallback. */
typedef enum { DSMSG_LINK_DOWN = 0, DSMSG_LINK_UP = 1 } DsmsgLinkState;

/** Called on a thread of the adaptor's own on every change; @p reason is valid during the call. */
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

/** Sets or, with NULL, removes the callback for link changes. It is told the present state first.
 */
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
