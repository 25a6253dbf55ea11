// SPDX-License-Identifier: Apache-2.0

import sun.jvm.hotspot.HotSpotAgent;
import sun.jvm.hotspot.code.CodeBlob;
import sun.jvm.hotspot.code.CodeCacheVisitor;
import sun.jvm.hotspot.code.NMethod;
import sun.jvm.hotspot.code.PCDesc;
import sun.jvm.hotspot.code.ScopeDesc;
import sun.jvm.hotspot.debugger.Address;
import sun.jvm.hotspot.oops.Method;
import sun.jvm.hotspot.runtime.VM;

/**
 * What the JDK's serviceability agent says of the compiled code of a Java virtual machine, a line
 * a place: NMETHOD@PC: METHOD@BCI:LINE..., innermost first. usage: HotspotScopes PID
 */
public final class HotspotScopes implements CodeCacheVisitor {
    private final long size = VM.getVM().getTypeDataBase().lookupType("PcDesc").getSize();

    private static void append(StringBuilder line, ScopeDesc scope) {
        Method method = scope.getMethod();
        int bci = Math.max(scope.getBCI(), 0);
        int at = method.hasLineNumberTable() ? Math.max(method.getLineNumberFromBCI(bci), 0) : 0;
        line.append(' ').append(method.getMethodHolder().getName().asString().replace('/', '.'));
        line.append('.').append(method.getName().asString()).append('@').append(bci).append(':').append(at);
    }

    private void print(NMethod code) {
        for (Address p = code.scopesPCsBegin(); p.lessThan(code.scopesPCsEnd()); p = p.addOffsetTo(size)) {
            PCDesc place = new PCDesc(p);
            if (place.getPCOffset() < 0 || place.getScopeDecodeOffset() == 0) {
                continue;
            }
            String addr = code.getAddress().toString().replaceFirst("^0x0*", "");
            StringBuilder line = new StringBuilder(addr + "@" + place.getPCOffset() + ":");
            for (ScopeDesc s = code.getScopeDescAt(place.getRealPC(code)); s != null; s = s.sender()) {
                append(line, s);
            }
            System.out.println(line);
        }
    }

    @Override
    public void prologue(Address start, Address end) { }

    @Override
    public void visit(CodeBlob blob) {
        try {
            if (blob instanceof NMethod && !((NMethod) blob).isNativeMethod()) {
                print((NMethod) blob);
            }
        } catch (RuntimeException e) {
            System.err.println(blob + ": " + e);
        }
    }

    @Override
    public void epilogue() { }

    public static void main(String[] args) {
        HotSpotAgent agent = new HotSpotAgent();
        agent.attach(Integer.parseInt(args[0]));
        VM.getVM().getCodeCache().iterate(new HotspotScopes());
        agent.detach();
    }
}
