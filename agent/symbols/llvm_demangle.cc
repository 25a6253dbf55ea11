/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/llvm_demangle.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/Demangle/Demangle.h>

char *llvm_demangle_itanium(const char *mangled)
{
    llvm::ItaniumPartialDemangler name;

    if (name.partialDemangle(mangled))
        return nullptr;
    return name.isFunction() ? name.getFunctionName(nullptr, nullptr)
                             : name.finishDemangle(nullptr, nullptr);
}

char *llvm_demangle_rust(const char *mangled)
{
#if LLVM_VERSION_MAJOR >= 15
    return llvm::rustDemangle(mangled);
#else
    return llvm::rustDemangle(mangled, nullptr, nullptr, nullptr);
#endif
}
