// SPDX-License-Identifier: Apache-2.0
/**
 * @file nvmsgbroker.h
 * @brief The message broker client library, `libnvds_msgbroker.so`: connects, sends and subscribes
 * through any protocol adaptor (nvds_msgapi.h), with shared connections and reconnect.
 *
 * The ABI is that of DeepStream's library of the same name: a program built against either works
 * with both.
 *
 * Threads: every function may be called from any thread, on the same handle too. No lock is held
 * while an adaptor connects: a connect that waits for its broker delays only other connects that
 * would share its connection.
 *
 * Callbacks: they run on threads of the library (subscribe callbacks: of the adaptor), never on the
 * caller's stack of a function of this header other than nv_msgbroker_disconnect(), and never with
 * a lock of the library held. They may call every function but nv_msgbroker_disconnect() of the
 * same connection, which is refused. No callback of a handle starts after its
 * nv_msgbroker_disconnect() has returned.
 *
 * A callback must not throw; one that does is logged and counts as run.
 *
 * Processes: in a child made by fork(), every function answers NV_MSGBROKER_API_ERR at once for a
 * handle of the parent, and the parent's connections stay open. A child may open its own
 * connections.
 *
 * Arguments: a NULL pointer, an empty payload or a handle that is not connected gives
 * NV_MSGBROKER_API_ERR (or a NULL handle) and one log line, and has no other effect.
 *
 * Options: group `[nvmsgbroker]` of the adaptor's configuration file; if that file has no such
 * group, of the file that the environment variable NVMSGBROKER_CONFIG names; if it is not set, of
 * /opt/nvidia/deepstream/deepstream/sources/libs/nvmsgbroker/cfg_nvmsgbroker.txt. The first file
 * that has the group gives all of the options; docs/client-library.md lists them.
 */
#ifndef NVMSGBROKER_H_
#define NVMSGBROKER_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this interface, as nv_msgbroker_version() returns it. */
#define NV_MSGBROKER_VERSION "2.0"

/** Outcome of a call, of one message, or state of a connection. */
typedef enum {
  NV_MSGBROKER_API_OK = 0,            /**< done; for a connect callback: the connection is back */
  NV_MSGBROKER_API_ERR = 1,           /**< failed; the log says why */
  NV_MSGBROKER_API_RECONNECTING = 2,  /**< the connection is lost and is being re-established */
  NV_MSGBROKER_API_NOT_SUPPORTED = 3, /**< part of the ABI; this library never returns it */
} NvMsgBrokerErrorType;

/** A message. All of it is copied before nv_msgbroker_send_async() returns. */
typedef struct {
  char* topic;        /**< NULL: the adaptor's configured topic (adaptors of dsmsg only) */
  void* payload;      /**< any bytes */
  size_t payload_len; /**< number of bytes, at least 1 */
} NvMsgBrokerClientMsg;

/** A connection as one caller of nv_msgbroker_connect() sees it. Every call returns a new value,
 * even if the connection is shared; no value is used twice. */
typedef void* NvMsgBrokerClientHandle;

/**
 * Told when the state of a connection changes: RECONNECTING when the link is lost, OK when it is
 * back, ERR when reconnecting was given up (`max-retry-limit`) or the broker refuses for good, for
 * example a password. Not called for the connection that nv_msgbroker_connect() itself made.
 */
typedef void (*nv_msgbroker_connect_cb_t)(NvMsgBrokerClientHandle h_ptr,
                                          NvMsgBrokerErrorType status);

/** Called exactly once for every nv_msgbroker_send_async() that returned NV_MSGBROKER_API_OK. */
typedef void (*nv_msgbroker_send_cb_t)(void* user_ptr, NvMsgBrokerErrorType status);

/** Called for every received message; @p msg (@p msglen bytes) and @p topic are valid until it
 * returns. */
typedef void (*nv_msgbroker_subscribe_cb_t)(NvMsgBrokerErrorType status, void* msg, int msglen,
                                            char* topic, void* user_ptr);

/**
 * Connects, or joins a connection of this process whose adaptor gave the same signature
 * (`share-connection=1` in the adaptor's file).
 * @param broker_conn_str connection string, as the adaptor takes it; NULL: from its file.
 * @param broker_proto_lib path of the adaptor's library, or a short name such as "kafka".
 * @param connect_cb may be NULL.
 * @param cfg configuration file of the adaptor; NULL: defaults.
 * @return the handle, or NULL; the log says why. Blocks as long as the adaptor's connect does.
 */
NvMsgBrokerClientHandle nv_msgbroker_connect(char* broker_conn_str, char* broker_proto_lib,
                                             nv_msgbroker_connect_cb_t connect_cb, char* cfg);

/**
 * Accepts a message. During a reconnect it waits in a bounded queue.
 * @param cb may be NULL; else called once if and only if NV_MSGBROKER_API_OK is returned.
 * @return NV_MSGBROKER_API_RECONNECTING: the link is lost and the queue in front of a third-party
 *         adaptor is full. An adaptor of dsmsg follows its own `overflow`; a message that it
 *         refuses gives NV_MSGBROKER_API_ERR. Blocks only when the queue is full while the link is
 *         up, at most the option `overflow-timeout`.
 */
NvMsgBrokerErrorType nv_msgbroker_send_async(NvMsgBrokerClientHandle h_ptr,
                                             NvMsgBrokerClientMsg message,
                                             nv_msgbroker_send_cb_t cb, void* user_ctx);

/**
 * Subscribes to @p num_topics topics; a second call replaces topics, callback and context of this
 * handle. NV_MSGBROKER_API_ERR: the previous ones stay in force. The topics of other handles on the
 * same connection never change. The subscription is restored after a reconnect. Legal from inside
 * every callback.
 */
NvMsgBrokerErrorType nv_msgbroker_subscribe(NvMsgBrokerClientHandle h_ptr, char** topics,
                                            int num_topics, nv_msgbroker_subscribe_cb_t cb,
                                            void* user_ctx);

/**
 * Waits until the messages of this handle are sent (at most the adaptor's `flush-timeout`, or the
 * library's for a third-party adaptor), calls back for the remaining ones, and ends the connection
 * if no other handle uses it.
 */
NvMsgBrokerErrorType nv_msgbroker_disconnect(NvMsgBrokerClientHandle h_ptr);

/** "2.0" */
char* nv_msgbroker_version(void);

#ifdef __cplusplus
}
#endif

#endif  // NVMSGBROKER_H_
