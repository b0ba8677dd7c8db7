/** VM exits: what each records, when it happens and when not (SDM 3C chapters 26 and 28). */
import assert from 'node:assert/strict'; // eslint-disable-line no-restricted-imports -- tests run in Node
import type { Fault } from '../cpu/fault.js';
import { generalProtection, invalidOpcode, pageFault, Vector } from '../cpu/fault.js';
import { Cr0, Cr4, Efer, Rflags, SegmentAccess } from '../cpu/registerBits.js';
import { Cold } from '../cpu/seams.js';
import { Entry, Exit, Pin, Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import type { VmcsFieldName } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import type { Fixture } from './vmxFixture.js';
import { code, enteredFixture, GUEST_RIP, HOST_RIP, isFaultVector, VMCS_REGION } from './vmxFixture.js';

type Change = (fixture: Fixture) => void;

const on =
  (name: VmcsFieldName, bits: number): Change =>
  ({ vmcs }) =>
    vmcs.write32(Field[name], (vmcs.read32(Field[name]) | bits) >>> 0);
const put =
  (name: VmcsFieldName, value: bigint): Change =>
  ({ vmcs }) =>
    vmcs.write(Field[name], value);
const primary = (control: number): Change => on('primaryProcBasedControls', control);
const secondary =
  (control: number): Change =>
  (fixture) => {
    primary(Primary.activateSecondaryControls)(fixture);
    on('secondaryProcBasedControls', control)(fixture);
  };
const all =
  (...changes: Change[]): Change =>
  (fixture) => {
    for (const change of changes) change(fixture);
  };
const none: Change = () => undefined;

interface Recorded {
  readonly reason: number;
  readonly qualification?: bigint;
  readonly length?: number;
  readonly information?: number;
  readonly interruption?: number;
  readonly errorCode?: number;
  readonly vectoring?: number;
  readonly linear?: bigint;
  readonly physical?: bigint;
}

const recorded = ({ vmcs }: Fixture): Required<Recorded> => ({
  reason: vmcs.read32(Field.exitReason),
  qualification: vmcs.read(Field.exitQualification),
  length: vmcs.read32(Field.vmExitInstructionLength),
  information: vmcs.read32(Field.vmExitInstructionInformation),
  interruption: vmcs.read32(Field.vmExitInterruptionInformation),
  errorCode: vmcs.read32(Field.vmExitInterruptionErrorCode),
  vectoring: vmcs.read32(Field.idtVectoringInformation),
  linear: vmcs.read(Field.guestLinearAddress),
  physical: vmcs.read(Field.guestPhysicalAddress),
});

/** The fixture has exited, and recorded this and zeros. */
function expectExit(fixture: Fixture, expect: Recorded): void {
  const zero = {
    qualification: 0n, length: 0, information: 0, interruption: 0, errorCode: 0, vectoring: 0, linear: 0n, physical: 0n,
  }; // prettier-ignore
  assert.equal(fixture.vmx.inGuest, false);
  assert.equal(fixture.processor.state.rip, HOST_RIP);
  assert.deepEqual(recorded(fixture), { ...zero, ...expect });
}

/** An instruction in the guest exits with `prepare` done and does not exit without. */
function check(
  bytes: readonly number[],
  prepare: Change,
  registers: Partial<Record<'rax' | 'rbx' | 'rcx' | 'rdx' | 'rsi' | 'rdi' | 'fsBase', bigint>>,
  expect: Recorded,
  unconditional = false,
): void {
  const run = (change: Change): Fixture => {
    const fixture = enteredFixture(change);
    Object.assign(fixture.processor.state, registers);
    fixture.execute(bytes);
    return fixture;
  };
  const fixture = run(prepare);
  expectExit(fixture, { length: bytes.length, ...expect });
  assert.equal(fixture.vmcs.read(Field.guestRip), GUEST_RIP);
  if (!unconditional) assert.equal(run(useMsrBitmaps).vmx.inGuest, true, 'exits without its control');
}

const MSR_BITMAP = 0x1_0000;
const IO_BITMAP = 0x1_1000;
/** MSR bitmaps of zeros: RDMSR and WRMSR do not exit. */
const useMsrBitmaps = all(primary(Primary.useMsrBitmaps), put('msrBitmap', BigInt(MSR_BITMAP)));

describe('VM exits of instructions', () => {
  it('without condition', () => {
    const always: [readonly number[], number][] = [
      [[0x0f, 0xa2], ExitReason.CPUID],
      [[0x0f, 0x08], ExitReason.INVD],
      [code.vmcall, ExitReason.VMCALL],
      [code.vmlaunch, ExitReason.VMLAUNCH],
      [code.vmresume, ExitReason.VMRESUME],
      [code.vmxoff, ExitReason.VMOFF],
    ];
    for (const [bytes, reason] of always) check(bytes, none, {}, { reason }, true);
  });

  it('by a primary or secondary control', () => {
    const conditional: [readonly number[], Change, number][] = [
      [[0xf4], primary(Primary.hltExiting), ExitReason.HLT],
      [[0x0f, 0x31], primary(Primary.rdtscExiting), ExitReason.RDTSC],
      [[0xf3, 0x90], primary(Primary.pauseExiting), ExitReason.PAUSE_INSTRUCTION],
      [[0x0f, 0x33], primary(Primary.rdpmcExiting), ExitReason.RDPMC],
      [[0x0f, 0x09], secondary(Secondary.wbinvdExiting), ExitReason.WBINVD],
    ];
    for (const [bytes, control, reason] of conditional) check(bytes, control, {}, { reason });
    const rdtscp = all(primary(Primary.rdtscExiting), secondary(Secondary.enableRdtscp));
    expectExit(
      (() => {
        const fixture = enteredFixture(rdtscp);
        fixture.execute([0x0f, 0x01, 0xf9]);
        return fixture;
      })(),
      { reason: ExitReason.RDTSCP, length: 3 },
    );
    assert.ok(isFaultVector(enteredFixture().execute([0x0f, 0x01, 0xf9]), Vector.UD), 'RDTSCP not enabled');
  });

  it('INVLPG with its linear address', () => {
    const invlpg = [0x64, 0x0f, 0x01, 0x38]; // invlpg fs:[rax]
    const registers = { rax: 0x4321n, fsBase: 0x10_0000n };
    const fixture = enteredFixture(primary(Primary.invlpgExiting));
    Object.assign(fixture.processor.state, registers);
    fixture.execute(invlpg);
    expectExit(fixture, { reason: ExitReason.INVLPG, qualification: 0x10_4321n, length: 4 });
  });

  it('VMX instructions with displacement and instruction information', () => {
    // vmptrld [rax+rcx*4-0x10]: scale 2, 64-bit addresses, DS, index 1, base 0.
    check(
      [0x0f, 0xc7, 0x74, 0x88, 0xf0],
      none,
      {},
      {
        reason: ExitReason.VMPTRLD,
        qualification: 0xffff_ffff_ffff_fff0n,
        information: 2 | (2 << 7) | (3 << 15) | (1 << 18),
      },
      true,
    );
    // vmclear [rip+0x20]: no base, no index.
    check(
      [0x66, 0x0f, 0xc7, 0x35, 0x20, 0, 0, 0],
      none,
      {},
      {
        reason: ExitReason.VMCLEAR,
        qualification: GUEST_RIP + 8n + 0x20n,
        information: (2 << 7) | (3 << 15) | (1 << 22) | (1 << 27),
      },
      true,
    );
    // vmread rbx <- field in rcx: register form, Reg1 3, Reg2 1.
    check(
      code.vmread,
      none,
      {},
      { reason: ExitReason.VMREAD, information: (1 << 10) | (3 << 3) | (1 << 28) },
      true,
    );
    check(
      code.vmwrite,
      none,
      {},
      { reason: ExitReason.VMWRITE, information: (1 << 10) | (3 << 3) | (1 << 28) },
      true,
    );
    const invept = (2 << 7) | (3 << 15) | (1 << 22) | (1 << 28);
    check(code.invept, none, {}, { reason: ExitReason.INVEPT, information: invept }, true);
    check(code.invvpid, none, {}, { reason: ExitReason.INVVPID, information: invept }, true);
  });

  it('descriptor-table instructions', () => {
    const exiting = secondary(Secondary.descriptorTableExiting);
    // lidt [rbx]: 64-bit addresses, DS, base 3, operand size bit, identity 3.
    const lidt = (2 << 7) | (1 << 11) | (3 << 15) | (1 << 22) | (3 << 23) | (3 << 28);
    check(
      [0x0f, 0x01, 0x1b],
      exiting,
      { rbx: 0x2_0000n },
      { reason: ExitReason.GDTR_IDTR, information: lidt },
    );
    // str rdx: register form, identity 1.
    check(
      [0x0f, 0x00, 0xca],
      exiting,
      {},
      { reason: ExitReason.LDTR_TR, information: (1 << 10) | (2 << 3) | (1 << 28) },
    );
  });

  it('control registers by mask, shadow and CR3 targets', () => {
    const reason = ExitReason.CR_ACCESS;
    const ownTs = all(put('cr0GuestHostMask', Cr0.TS), put('cr0ReadShadow', Cr0.TS));
    const cr0 = 0x8000_0031n;
    // mov cr0, rbx: the host owns TS, the guest believes it is 1 and writes 0.
    check([0x0f, 0x22, 0xc3], ownTs, { rbx: cr0 }, { reason, qualification: 0x300n });
    check([0x0f, 0x06], ownTs, {}, { reason, qualification: 0x20n });
    // lmsw bx
    check([0x0f, 0x01, 0xf3], ownTs, { rbx: 1n }, { reason, qualification: 0x1_0030n });
    const ownPge = all(put('cr4GuestHostMask', Cr4.PGE), put('cr4ReadShadow', 0n));
    check([0x0f, 0x22, 0xe1], ownPge, { rcx: 0x20a0n }, { reason, qualification: 0x104n });

    const cr3Load = primary(Primary.cr3LoadExiting);
    check([0x0f, 0x22, 0xd8], cr3Load, { rax: 0x7000n }, { reason, qualification: 3n });
    const targets = all(cr3Load, put('cr3TargetCount', 2n), put('cr3TargetValue1', 0x7000n));
    const target = enteredFixture(targets);
    target.processor.state.rax = 0x7000n;
    assert.equal(target.execute([0x0f, 0x22, 0xd8]), Cold.RETIRED);
    check([0x0f, 0x20, 0xdf], primary(Primary.cr3StoreExiting), {}, { reason, qualification: 0x713n });
    check([0x44, 0x0f, 0x20, 0xc2], primary(Primary.cr8StoreExiting), {}, { reason, qualification: 0x218n });
    const cr8Load = enteredFixture(primary(Primary.cr8LoadExiting));
    cr8Load.execute([0x44, 0x0f, 0x22, 0xc2]);
    expectExit(cr8Load, { reason, qualification: 0x208n, length: 4 });
  });

  it('masks of CR0 and CR4: reads see the shadow, writes that do not exit keep what the host owns', () => {
    const owned = all(
      put('cr0GuestHostMask', Cr0.TS | Cr0.NE | Cr0.PG),
      put('cr0ReadShadow', Cr0.PG),
      put('cr4GuestHostMask', Cr4.VMXE),
      put('cr4ReadShadow', 0n),
    );
    const { vmx, processor } = enteredFixture(owned);
    assert.equal(vmx.viewControlRegister(0, processor.state.cr0) & (Cr0.TS | Cr0.NE | Cr0.PG), Cr0.PG);
    assert.equal(vmx.viewControlRegister(4, processor.state.cr4), Cr4.PAE);
    const written = vmx.admitControlRegister(0, Cr0.PE | Cr0.PG | Cr0.WP);
    assert.equal(written, Cr0.PE | Cr0.PG | Cr0.WP | Cr0.NE, 'NE stays');
    assert.equal(vmx.admitControlRegister(4, Cr4.PAE), Cr4.PAE | Cr4.VMXE);
    assert.equal(vmx.admitControlRegister(0, Cr0.PG), undefined, 'PE is fixed');
  });

  it('MOV DR', () => {
    const exiting = primary(Primary.movDrExiting);
    check([0x0f, 0x23, 0xfe], exiting, {}, { reason: ExitReason.DR_ACCESS, qualification: 0x607n });
    check([0x0f, 0x21, 0xfa], exiting, {}, { reason: ExitReason.DR_ACCESS, qualification: 0x217n });
  });

  it('ports by bitmap, with qualification, and string instructions with their address', () => {
    const markPort =
      (port: number): Change =>
      (fixture) => {
        primary(Primary.useIoBitmaps)(fixture);
        fixture.vmcs.write(Field.ioBitmapA, BigInt(IO_BITMAP));
        fixture.vmcs.write(Field.ioBitmapB, BigInt(IO_BITMAP + 0x1000));
        const address = IO_BITMAP + (port >> 3);
        fixture.poke(
          address & ~7,
          fixture.peek(address & ~7) | (1n << BigInt((address & 7) * 8 + (port & 7))),
        );
      };
    const run = (bytes: readonly number[], change: Change, registers = {}): Fixture => {
      const fixture = enteredFixture(change);
      Object.assign(fixture.processor.state, registers);
      fixture.execute(bytes);
      return fixture;
    };
    const reason = ExitReason.IO_INSTRUCTION;
    // in al, 0x71
    expectExit(run([0xe4, 0x71], markPort(0x71)), { reason, qualification: 0x71_0048n, length: 2 });
    // out dx, eax: any of the four ports counts; bitmap B begins at 0x8000.
    const wide = { rdx: 0x9000n };
    expectExit(run([0xef], markPort(0x9003), wide), { reason, qualification: 0x9000_0003n, length: 1 });
    // in ax, dx at the end of the port space wraps around.
    expectExit(run([0x66, 0xed], markPort(1), { rdx: 0xffffn }), {
      reason,
      qualification: 0xffff_0009n,
      length: 2,
    });
    // rep outsb from fs:[rsi]
    const string = run([0x64, 0xf3, 0x6e], markPort(0x3f8), { rdx: 0x3f8n, rsi: 0x123n, fsBase: 0x1000n });
    expectExit(string, {
      reason,
      qualification: 0x3f8_0030n,
      length: 3,
      information: (2 << 7) | (4 << 15),
      linear: 0x1123n,
    });
    const unconditional = primary(Primary.unconditionalIoExiting);
    expectExit(run([0xe6, 0x80], unconditional), { reason, qualification: 0x80_0040n, length: 2 });
  });

  it('MSRs by bitmap', () => {
    const markMsr =
      (offset: number): Change =>
      (fixture) => {
        useMsrBitmaps(fixture);
        fixture.poke(MSR_BITMAP + (offset & ~7), 1n << BigInt((offset & 7) * 8 + 2));
      };
    const low = { rcx: 0x10n * 8n + 2n };
    const high = { rcx: 0xc000_0082n };
    check([0x0f, 0x32], markMsr(0x10), low, { reason: ExitReason.MSR_READ }, true);
    check([0x0f, 0x32], markMsr(1024 + 0x10), high, { reason: ExitReason.MSR_READ });
    check([0x0f, 0x30], markMsr(3072 + 0x10), high, { reason: ExitReason.MSR_WRITE });
    check([0x0f, 0x30], markMsr(2048 + 0x10), low, { reason: ExitReason.MSR_WRITE }, true);
    // Outside both ranges, and without bitmaps, every access exits.
    check([0x0f, 0x32], useMsrBitmaps, { rcx: 0x4000_0000n }, { reason: ExitReason.MSR_READ }, true);
    check([0x0f, 0x30], none, high, { reason: ExitReason.MSR_WRITE }, true);
  });

  it('a fault of privilege comes before the exit', () => {
    const fixture = enteredFixture(primary(Primary.hltExiting));
    fixture.processor.state.cpl = 3;
    assert.ok(isFaultVector(fixture.execute([0xf4]), Vector.GP));
    assert.ok(isFaultVector(fixture.execute([0x0f, 0x22, 0xd8]), Vector.GP));
  });
});

describe('VM exits for events', () => {
  const bitmap = (vector: number): Change => put('exceptionBitmap', BigInt((1 << vector) >>> 0));
  const raise = (fixture: Fixture, fault: Fault): boolean => fixture.vmx.interceptException(fault);

  it('exceptions by the exception bitmap', () => {
    const ud = enteredFixture(bitmap(Vector.UD));
    assert.ok(raise(ud, invalidOpcode()));
    expectExit(ud, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0306 });
    assert.equal(ud.vmcs.read(Field.guestRflags) & Rflags.RF, Rflags.RF);

    const gp = enteredFixture(bitmap(Vector.GP));
    assert.equal(raise(gp, invalidOpcode()), false);
    assert.ok(raise(gp, generalProtection(0x18)));
    expectExit(gp, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0b0d, errorCode: 0x18 });

    const interrupt: Fault = { ...invalidOpcode(), vector: Vector.BP, source: 'softwareInterrupt' };
    const bp = enteredFixture(bitmap(Vector.BP));
    assert.equal(raise(bp, interrupt), false, 'INT 3 by CD 03 is no exception');
    bp.execute([0xcc]);
    assert.ok(raise(bp, { ...interrupt, source: 'softwareException' }));
    expectExit(bp, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0603, length: 1 });
  });

  it('page faults by bitmap, mask and match', () => {
    const cases: [bit: boolean, mask: bigint, match: bigint, code: number, exits: boolean][] = [
      [true, 0n, 0n, 2, true],
      [false, 0n, 0n, 2, false],
      [true, 0n, 1n, 2, false],
      [false, 0n, 1n, 2, true],
      [true, 2n, 2n, 2, true],
      [true, 2n, 2n, 0, false],
    ];
    for (const [bit, mask, match, errorCode, exits] of cases) {
      const fixture = enteredFixture(
        all(
          bit ? bitmap(Vector.PF) : none,
          put('pageFaultErrorCodeMask', mask),
          put('pageFaultErrorCodeMatch', match),
        ),
      );
      assert.equal(
        raise(fixture, pageFault(0x1234_5678n, errorCode)),
        exits,
        `${bit} ${mask} ${match} ${errorCode}`,
      );
      if (!exits) continue;
      expectExit(fixture, {
        reason: ExitReason.EXCEPTION_NMI,
        qualification: 0x1234_5678n,
        interruption: 0x8000_0b0e,
        errorCode,
      });
      assert.equal(fixture.processor.state.cr2, 0n);
    }
  });

  it('during event delivery they record it; double and triple faults do not', () => {
    const event = { vector: 0x80, type: 4, errorCode: undefined, instructionLength: 2, address: 0n };
    const gp = enteredFixture(bitmap(Vector.GP));
    gp.vmx.beginDelivery(event);
    assert.ok(raise(gp, generalProtection(0x402)));
    expectExit(gp, {
      reason: ExitReason.EXCEPTION_NMI,
      interruption: 0x8000_0b0d,
      errorCode: 0x402,
      vectoring: 0x8000_0480,
      length: 2,
    });
    const df = enteredFixture(bitmap(Vector.DF));
    df.vmx.beginDelivery(event);
    assert.ok(raise(df, { ...generalProtection(0), vector: Vector.DF }));
    expectExit(df, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0b08 });
    const triple = enteredFixture();
    assert.ok(triple.vmx.interceptTripleFault());
    expectExit(triple, { reason: ExitReason.TRIPLE_FAULT });
  });

  it('interrupts, NMIs and windows', () => {
    const pending = (
      fixture: Fixture,
      kind: Parameters<Fixture['vmx']['interceptPendingEvent']>[0]['kind'],
    ) => fixture.vmx.interceptPendingEvent({ kind });
    assert.equal(pending(enteredFixture(), 'externalInterrupt'), false);
    const plain = enteredFixture(on('pinBasedControls', Pin.externalInterruptExiting));
    assert.ok(pending(plain, 'externalInterrupt'), 'with RFLAGS.IF 0 as well');
    expectExit(plain, { reason: ExitReason.EXTERNAL_INTERRUPT });
    const acknowledged = enteredFixture(
      all(
        on('pinBasedControls', Pin.externalInterruptExiting),
        on('vmExitControls', Exit.acknowledgeInterruptOnExit),
      ),
    );
    assert.ok(pending(acknowledged, 'externalInterrupt'));
    expectExit(acknowledged, { reason: ExitReason.EXTERNAL_INTERRUPT, interruption: 0x8000_0031 });

    const nmi = enteredFixture(on('pinBasedControls', Pin.nmiExiting));
    assert.ok(pending(nmi, 'nmi'));
    expectExit(nmi, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0202 });
    assert.equal(nmi.processor.state.interruptibility, 8, 'NMIs are blocked in the host');

    const window = enteredFixture(primary(Primary.interruptWindowExiting));
    assert.equal(pending(window, 'interruptWindow'), false, 'IF is 0');
    window.processor.state.rflagsSystem |= Rflags.IF;
    window.processor.state.interruptibility = 1;
    assert.equal(pending(window, 'interruptWindow'), false, 'blocked by STI');
    window.processor.state.interruptibility = 0;
    assert.ok(pending(window, 'interruptWindow'));
    expectExit(window, { reason: ExitReason.INTERRUPT_WINDOW });

    const nmiWindow = enteredFixture(
      all(
        on('pinBasedControls', Pin.nmiExiting | Pin.virtualNmis),
        primary(Primary.nmiWindowExiting),
        put('guestInterruptibilityState', 8n),
      ),
    );
    assert.equal(pending(nmiWindow, 'nmiWindow'), false);
    nmiWindow.processor.state.interruptibility = 0;
    assert.ok(pending(nmiWindow, 'nmiWindow'));
    assert.equal(nmiWindow.processor.state.interruptibility, 0);
  });

  it('task switches', () => {
    const fixture = enteredFixture();
    assert.ok(fixture.vmx.interceptTaskSwitch(0x28, 'jump', 5));
    expectExit(fixture, { reason: ExitReason.TASK_SWITCH, qualification: 0x8000_0028n, length: 5 });
  });
});

describe('VM entry and VM exit', () => {
  it('carry the guest state there and back and load what is forced in the host', () => {
    const fixture = enteredFixture(
      all(
        on(
          'vmExitControls',
          Exit.saveDebugControls | Exit.savePat | Exit.saveEfer | Exit.loadPat | Exit.loadEfer,
        ),
        on('vmEntryControls', Entry.loadDebugControls | Entry.loadPat | Entry.loadEfer),
        put('guestPat', 0x0007_0406_0007_0406n),
        put('hostPat', 0x0606_0606_0606_0606n),
        put('guestEfer', Efer.LME | Efer.LMA | Efer.NXE),
        put('hostEfer', Efer.LME | Efer.LMA | Efer.SCE),
        put('guestDr7', 0xffff_ffffn),
        put('guestFsBase', 0x1111_2222n),
        put('hostFsBase', 0xffff_8888_0000_0000n),
        put('hostGdtrBase', 0xffff_8000_0000_1000n),
        put('tscOffset', 0x55n),
        primary(Primary.useTscOffsetting),
      ),
    );
    const { state } = fixture.processor;
    assert.equal(state.rip, GUEST_RIP);
    assert.equal(state.dr7, 0xffff_2fffn, 'bits 12, 14 and 15 are cleared');
    assert.equal(state.tscOffset, 0x55n);
    assert.equal(state.efer, Efer.LME | Efer.LMA | Efer.NXE);
    assert.equal(state.cpl, 0);
    state.rax = 0xaaaan;
    state.rsp = 0x1_2345n;
    state.cr2 = 0x77n;
    fixture.execute(code.vmcall);

    const { vmcs } = fixture;
    assert.equal(vmcs.read(Field.guestRsp), 0x1_2345n);
    assert.equal(vmcs.read(Field.guestDr7), 0xffff_2fffn);
    assert.equal(vmcs.read(Field.guestFsBase), 0x1111_2222n);
    assert.equal(vmcs.read(Field.guestEfer), Efer.LME | Efer.LMA | Efer.NXE);
    assert.equal(vmcs.read(Field.guestPat), 0x0007_0406_0007_0406n);
    assert.deepEqual(
      {
        rip: state.rip, rsp: state.rsp, rax: state.rax, cr2: state.cr2, dr7: state.dr7, pat: state.pat, efer: state.efer,
        fsBase: state.fsBase, gdtrBase: state.gdtrBase, gdtrLimit: state.gdtrLimit, cs: state.csAccess, ss: state.ssAccess,
        tr: [state.trAccess, state.trLimit, state.trSelector], ldtr: state.ldtrAccess, tsc: state.tscOffset,
      },
      {
        rip: HOST_RIP, rsp: 0x7f00n, rax: 0xaaaan, cr2: 0x77n, dr7: 0x400n, pat: 0x0606_0606_0606_0606n,
        efer: Efer.LME | Efer.LMA | Efer.SCE, fsBase: 0xffff_8888_0000_0000n, gdtrBase: 0xffff_8000_0000_1000n,
        gdtrLimit: 0xffff, cs: 0xa09b, ss: SegmentAccess.UNUSABLE, tr: [0x8b, 0x67, 0x18],
        ldtr: SegmentAccess.UNUSABLE, tsc: 0n,
      },
    ); // prettier-ignore
  });

  it('are told to the observer', () => {
    const fixture = enteredFixture();
    fixture.processor.state.rax = 5n;
    fixture.execute(code.vmcall);
    const [entry, exit] = fixture.switches;
    assert.deepEqual(
      [entry.direction, entry.rip, entry.exit, entry.vmcs],
      ['entry', GUEST_RIP, undefined, VMCS_REGION],
    );
    assert.deepEqual([exit.direction, exit.rip, exit.codeBits, exit.position], ['exit', GUEST_RIP, 64, 42]);
    assert.equal(exit.registers[0], 5n);
    assert.equal(exit.registers[4], 0x9f00n, 'RSP is the guest’s');
    assert.equal(exit.exit?.reason, ExitReason.VMCALL);
    assert.equal(exit.exit?.instructionLength, 3);
  });

  it('resume after an exit, and only then', () => {
    const fixture = enteredFixture();
    fixture.execute(code.vmcall);
    fixture.vmcs.write(Field.guestRip, GUEST_RIP + 3n);
    assert.equal(fixture.execute(code.vmresume), Cold.SWITCHED);
    assert.equal(fixture.processor.state.rip, GUEST_RIP + 3n);
  });

  it('inject events once', () => {
    const fixture = enteredFixture(
      all(
        put('vmEntryInterruptionInformation', 0x8000_0b0en),
        put('vmEntryExceptionErrorCode', 7n),
        ({ processor }) => void (processor.state.cr2 = 0x99n),
      ),
    );
    assert.deepEqual(fixture.vmx.takeInjectedEvent(), {
      vector: 14, type: 3, errorCode: 7, instructionLength: 0, address: 0x99n,
    }); // prettier-ignore
    assert.equal(fixture.vmx.takeInjectedEvent(), undefined);
    fixture.execute(code.vmcall);
    assert.equal(
      fixture.vmcs.read32(Field.vmEntryInterruptionInformation),
      0xb0e,
      'the valid bit is cleared',
    );
  });

  it('deliver pending debug exceptions, or exit for them', () => {
    const pending = all(put('guestPendingDebugExceptions', 0x4000n), put('guestRflags', 0x102n));
    const fixture = enteredFixture(pending);
    assert.deepEqual(fixture.vmx.takeInjectedEvent()?.vector, Vector.DB);
    assert.equal(fixture.processor.state.dr6, 0xffff_4ff0n);
    assert.throws(() => enteredFixture(all(pending, put('exceptionBitmap', 2n))));
  });

  it('store and load MSR lists; one that cannot be stored is a VMX abort', () => {
    const list = (index: bigint): Change =>
      all(
        put('vmExitMsrStoreCount', 1n),
        put('vmExitMsrStoreAddress', 0xa000n),
        put('vmExitMsrLoadCount', 1n),
        put('vmExitMsrLoadAddress', 0xb000n),
        ({ poke }) => {
          poke(0xa000, index);
          poke(0xb000, 0xc000_0082n);
          poke(0xb008, 0x1111n);
        },
      );
    const fixture = enteredFixture(list(0xc000_0082n));
    fixture.processor.state.lstar = 0x2222n;
    fixture.execute(code.vmcall);
    assert.equal(fixture.peek(0xa008), 0x2222n);
    assert.equal(fixture.processor.state.lstar, 0x1111n);
    assert.equal(fixture.vmx.aborted, undefined);

    const aborted = enteredFixture(list(0x4000_0000n));
    aborted.execute(code.vmcall);
    assert.match(aborted.vmx.aborted?.detail ?? '', /VMX abort 1/);
    assert.equal(aborted.peek(VMCS_REGION) >> 32n, 1n);
  });

  it('flush the host’s translations exactly when there is no VPID', () => {
    const without = enteredFixture();
    without.execute(code.vmcall);
    assert.equal(without.flushes.count, 1);
    const vpid = all(secondary(Secondary.enableVpid), put('virtualProcessorIdentifier', 7n));
    const tagged = enteredFixture(vpid);
    const first = tagged.vmx.translationContext;
    tagged.execute(code.vmcall);
    assert.deepEqual([tagged.flushes.count, tagged.vmx.translationContext], [0, 0]);
    tagged.execute(code.vmresume);
    assert.equal(tagged.vmx.translationContext, first, 'the same address space has the same number');
    tagged.execute(code.vmcall);
    tagged.processor.state.rcx = 2n;
    tagged.executeAt(code.invvpid, 0n);
    tagged.execute(code.vmresume);
    assert.notEqual(tagged.vmx.translationContext, first, 'INVVPID forgets it');
  });
});
