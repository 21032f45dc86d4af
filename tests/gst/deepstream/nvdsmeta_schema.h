/* SPDX-License-Identifier: Apache-2.0 */
/* See nvdsmeta.h. */
#ifndef DSMSG_TESTS_NVDSMETA_SCHEMA_H_
#define DSMSG_TESTS_NVDSMETA_SCHEMA_H_

typedef struct {
  void* payload;
  unsigned payloadSize, componentId;
} NvDsPayload;

#endif /* DSMSG_TESTS_NVDSMETA_SCHEMA_H_ */
