// SPDX-License-Identifier: Apache-2.0
// All drivers in one program: that it links shows that no two of them have a name in common.
int main() { return 0; }
