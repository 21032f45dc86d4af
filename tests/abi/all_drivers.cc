// SPDX-License-Identifier: Apache-2.0
// All drivers in one program: if it links, no two of them share a name.
int main() { return 0; }
