// SPDX-License-Identifier: Apache-2.0
//
// Stacks of C++, without frame pointers: in the comparison of a std::sort, and in an exception on
// its way; one half of the time each.
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#define DISTINCT extern "C" __attribute__((noipa))

static volatile std::uint64_t sink;

DISTINCT void leaf(std::uint64_t n)
{
    std::uint64_t x = n;

    for (std::uint64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
    sink = x;
}

DISTINCT bool compare(std::uint32_t a, std::uint32_t b)
{
    leaf(200);
    return a < b;
}

DISTINCT void sort_all()
{
    std::vector<std::uint32_t> items(4096);
    std::uint32_t n = 0;

    for (auto &item : items)
        item = n++ * 2654435761U;
    std::sort(items.begin(), items.end(), compare);
}

DISTINCT void thrower(int depth)
{
    if (depth == 0)
        throw std::runtime_error("on its way");
    thrower(depth - 1);
    __asm__ volatile("" ::: "memory");
}

DISTINCT void throw_all()
{
    for (int i = 0; i < 1000; i++) {
        try {
            thrower(8);
        } catch (const std::exception &) {
            __asm__ volatile("" ::: "memory");
        }
    }
}

int main()
{
    for (;;) {
        sort_all();
        throw_all();
    }
}
