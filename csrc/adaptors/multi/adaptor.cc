// SPDX-License-Identifier: Apache-2.0
#include "adaptors/multi/driver.h"
#include "core/export/export.h"

DSMSG_DEFINE_ADAPTOR(dsmsg::multi::MultiDriver);
