// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/driver.h"
#include "core/export/export.h"

DSMSG_DEFINE_ADAPTOR(dsmsg::redis::RedisDriver);
