// SPDX-License-Identifier: Apache-2.0
//
// What inlining makes of Rust: all of the time is in shop::Cart::total, which is inlined into
// shop::checkout by way of a closure.
mod shop {
    pub struct Cart<T> {
        pub items: Vec<T>,
    }

    impl Cart<f64> {
        #[inline(always)]
        pub fn total(&self, rate: f64) -> f64 {
            self.items.iter().fold(0.0, |sum, item| sum * rate + item)
        }
    }

    #[inline(always)]
    fn discount<F: Fn(f64) -> f64>(cart: &Cart<f64>, apply: F) -> f64 {
        apply(cart.total(1.01))
    }

    #[inline(never)]
    pub fn checkout(cart: &Cart<f64>) -> f64 {
        (0..100).map(|_| discount(std::hint::black_box(cart), |sum| sum * 0.9)).sum()
    }
}

fn main() {
    let cart = shop::Cart { items: vec![1.0; 512] };

    loop {
        std::hint::black_box(shop::checkout(&cart));
    }
}
