// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/driver.h"
#include "core/export/export.h"

DSMSG_DEFINE_ADAPTOR(dsmsg::pulsar::PulsarDriver);
