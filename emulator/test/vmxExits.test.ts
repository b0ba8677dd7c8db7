/** VM exits of instructions: what each records, when it happens and when not (SDM 3C 26.1, 28.2). */
import assert from 'node:assert/strict';
import { Vector } from '../cpu/fault.js';
import { Cr0, Cr4 } from '../cpu/registerBits.js';
import { Cold } from '../cpu/seams.js';
import { Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import type { Change, Recorded } from './vmxExpectations.js';
import { all, expectExit, none, primary, put, secondary } from './vmxExpectations.js';
import type { Fixture } from './vmxFixture.js';
import { code, enteredFixture, GUEST_RIP, isFaultVector } from './vmxFixture.js';

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
    const rdpid = [0xf3, 0x0f, 0xc7, 0xfb];
    assert.ok(isFaultVector(enteredFixture().execute(rdpid), Vector.UD), 'RDPID not enabled');
    const enabled = enteredFixture(secondary(Secondary.enableRdtscp));
    enabled.processor.state.tscAux = 0x1234n;
    assert.equal(enabled.execute(rdpid), Cold.RETIRED);
    assert.equal(enabled.processor.state.rbx, 0x1234n);
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
