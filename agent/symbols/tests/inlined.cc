// SPDX-License-Identifier: Apache-2.0
//
// What inlining makes of C++: templates, lambdas, members and names without linkage. Runs until it
// is killed; one half of the time each in shop::Cart<double>::total, which is inlined into checkout
// by way of shop::discount, and in std::sort with a lambda.
#include <algorithm>
#include <cstdint>
#include <vector>

#define INLINED  inline __attribute__((always_inline))
#define DISTINCT __attribute__((noinline))

static volatile std::uint64_t sink;

namespace shop
{

template <class T> struct Cart {
    std::vector<T> items = std::vector<T>(512);

    INLINED T total(T rate) const
    {
        T sum = 0;

        for (const auto &item : items)
            sum = sum * rate + item;
        return sum;
    }
};

namespace
{
template <class T, class F> INLINED T discount(const Cart<T> &cart, F apply)
{
    return apply(cart.total(T(1.01)));
}
} // namespace

DISTINCT void checkout(const Cart<double> &cart)
{
    for (int i = 0; i < 100; i++)
        sink = sink + std::uint64_t(discount(cart, [](double sum) { return sum * 0.9; }));
}

DISTINCT void rank(std::vector<std::uint32_t> &items)
{
    std::uint32_t n = 0;

    for (auto &item : items)
        item = n++ * 2654435761U;
    std::sort(items.begin(), items.end(), [](auto a, auto b) { return a > b; });
    sink = sink + items[0];
}

} // namespace shop

int main()
{
    shop::Cart<double> cart;
    std::vector<std::uint32_t> items(1024);

    for (;;) {
        shop::checkout(cart);
        shop::rank(items);
    }
}
