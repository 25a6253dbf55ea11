// SPDX-License-Identifier: Apache-2.0
//
// cxx: what the stacks of C++ programs are made of: templates, virtual calls, lambdas, exceptions,
// inlined functions, recursion 900 deep.
#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "truth.h"

DISTINCT static void leaf_virtual(uint64_t n_steps)
{
    spin(n_steps);
}

namespace geometry
{

struct Shape {
    virtual ~Shape() = default;
    virtual void measure(uint64_t n_steps) const = 0;
};

struct Circle : Shape {
    DISTINCT void measure(uint64_t n_steps) const override
    {
        leaf_virtual(n_steps);
        stay();
    }
};

} // namespace geometry

DISTINCT static void virtual_call(uint64_t n_steps)
{
    static const std::unique_ptr<geometry::Shape> shape = std::make_unique<geometry::Circle>();

    shape->measure(n_steps);
    stay();
}

DISTINCT static void leaf_template(uint64_t n_steps)
{
    spin(n_steps);
}

// Four functions of one name.
template <typename T, int Depth> struct Folder {
    DISTINCT static void fold(T n_steps)
    {
        Folder<T, Depth - 1>::fold(n_steps);
        stay();
    }
};

template <typename T> struct Folder<T, 0> {
    DISTINCT static void fold(T n_steps)
    {
        leaf_template(n_steps);
        stay();
    }
};

DISTINCT static void templates(uint64_t n_steps)
{
    Folder<uint64_t, 3>::fold(n_steps);
    stay();
}

DISTINCT static void leaf_lambda(uint64_t n_steps)
{
    spin(n_steps);
}

DISTINCT static void call(const std::function<void(int)> &function)
{
    function(7);
    stay();
}

DISTINCT static void lambdas(uint64_t n_steps)
{
    call([n_steps](int n) {
        leaf_lambda(n_steps + static_cast<uint64_t>(n));
        stay();
    });
    stay();
}

DISTINCT static void leaf_compare(uint64_t n_steps)
{
    spin(n_steps);
}

DISTINCT static void sort_all(uint64_t n_steps)
{
    std::vector<uint32_t> items(512);
    uint32_t n = 0;

    for (auto &item : items)
        item = n++ * 2654435761U;
    std::sort(items.begin(), items.end(), [each = n_steps / 5000](uint32_t a, uint32_t b) {
        leaf_compare(each);
        return a < b;
    });
}

DISTINCT static void thrower(int depth)
{
    if (depth == 1)
        throw std::runtime_error("on its way");
    thrower(depth - 1);
    stay();
}

// In the end the unwinder itself replaces __cxa_throw() by exceptions() in its stack.
DISTINCT static void exceptions(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += 2500) {
        try {
            thrower(8);
        } catch (const std::exception &) {
            stay();
        }
    }
}

// Part of its caller in the machine code; a function of its own in the debug information.
static inline __attribute__((always_inline)) void mix(uint64_t n_steps)
{
    uint64_t x = n_steps;

    for (uint64_t i = 0; i < n_steps; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
    truth_sink = x;
}

DISTINCT static void blend(uint64_t n_steps)
{
    mix(n_steps);
    stay();
}

DISTINCT static void leaf_deep(uint64_t n_steps)
{
    spin(n_steps);
}

struct Tree {
    DISTINCT void descend(int depth, uint64_t n_steps) const
    {
        if (depth > 1)
            descend(depth - 1, n_steps);
        else
            leaf_deep(n_steps);
        stay();
    }
};

DISTINCT static void recursion(uint64_t n_steps)
{
    Tree().descend(900, n_steps);
    stay();
}

#define BELOW "main;truth_serve;truth_round;"
#ifdef INLINED_ARE_KNOWN
#define BLEND BELOW "blend;mix"
#else
#define BLEND BELOW "blend"
#endif

static const truth_part parts[] = {
    { "geometry::Circle::measure", BELOW "virtual_call;geometry::Circle::measure;leaf_virtual", 15,
      virtual_call },
    { "templates", BELOW "templates;Folder::fold x4;leaf_template", 15, templates },
    { "lambdas", BELOW "lambdas;call;...;leaf_lambda", 15, lambdas },
    { "sort_all", BELOW "sort_all;...;leaf_compare", 10, sort_all },
    { "exceptions", BELOW "exceptions;thrower x8;...;_Unwind_RaiseException", 10, exceptions },
    { "blend", BLEND, 15, blend },
    { "recursion", BELOW "recursion;Tree::descend x900;leaf_deep", 20, recursion },
};

int main(int argc, char **argv)
{
    TRUTH_SERVE(argc, argv, parts);
}
