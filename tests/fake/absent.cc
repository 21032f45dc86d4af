// SPDX-License-Identifier: Apache-2.0
// A library in a folder that the loader does not search.
extern "C" __attribute__((visibility("default"))) int dsmsg_absent() { return 7; }
