// SPDX-License-Identifier: Apache-2.0
// A library that stands where the loader does not look.
extern "C" __attribute__((visibility("default"))) int dsmsg_absent() { return 7; }
