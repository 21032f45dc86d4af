// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/driver.h"
#include "core/export/export.h"

DSMSG_DEFINE_ADAPTOR(dsmsg::azure::ModuleDriver);
