// SPDX-License-Identifier: Apache-2.0
// GType names of our elements. Sources that include this are compiled twice, for libgstdsmsg.so and
// for libgstnvmsgcompat.so; one process may load both, and a GType name can be registered only once
// in it.
#ifndef DSMSG_GST_TYPE_NAMES_H_
#define DSMSG_GST_TYPE_NAMES_H_

#ifdef DSMSG_GST_COMPAT
#define DSMSG_GST_TYPE_NAME(name) "DsmsgCompat" name
#else
#define DSMSG_GST_TYPE_NAME(name) "Dsmsg" name
#endif

#endif  // DSMSG_GST_TYPE_NAMES_H_
