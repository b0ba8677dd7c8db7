/** The tables agree with the instruction set and with the emulator's own. */
import assert from 'node:assert/strict';
import { Mnemonic } from 'iced-x86';
import { instructionRows } from '../../emulator/isa/instructions/index.js';
import { factsOf } from '../instructionSet/instructionForms.js';
import { cpuidLeaves } from '../knowledge/cpuidLeaves.js';
import { directiveNamed } from '../knowledge/directives.js';
import { hypercalls } from '../knowledge/hypercalls.js';
import { describedMnemonics, descriptionOf } from '../knowledge/instructions/index.js';
import { msrNamed, msrs } from '../knowledge/msrs.js';
import { generalRegisters, registerBits, wholeRegister } from '../knowledge/registers.js';
import { exitingMnemonics, exitsOf } from '../knowledge/vmExits.js';

/** Extensions that are not the general-purpose, system, VMX or SVM set. */
const OTHER =
  /AESKLE|WIDE_KL|AVX|SSE|MMX|AES|SHA|AMX|GFNI|F16C|FMA|XOP|PCLMUL|PADLOCK|KNC|3DNOW|GEODE|MPX|TBM|LWP|CL1INVMB|PCOMMIT|UDBG|SM3|SM4|D3NOW|CYRIX/;
/** Instructions of processors that are long gone: Cyrix, Geode, early Pentium prototypes. */
const OBSOLETE =
  /^(salc|storeall|(rd|wr)shr|[sd]mint|svdc|rsdc|svldt|rsldt|svts|rsts|bb[01]_reset|cpu_(read|write)|p(mulhri?w|aveb|addsiw|magw|distib|subsiw|mv\w+b|machriw|fr(cp|sqrt)v))$/;
/** They exit by what their tables in memory say, or are gone. */
const BY_TABLES = /^(senduipi|rmpadjust|rmpquery|pvalidate|pcommit)$/;
const X87 = /^f(?!xsave|xrstor)/;

describe('the knowledge of instructions', () => {
  it('describes only instructions that exist', () => {
    const unknown = [...describedMnemonics()].filter((mnemonic) => factsOf(mnemonic) === undefined);
    assert.deepEqual(unknown, []);
  });

  it('describes the general-purpose, system, VMX and SVM instructions', () => {
    const missing = Object.keys(Mnemonic)
      .filter((key) => Number.isNaN(Number(key)))
      .map((key) => key.toLowerCase())
      .filter((mnemonic) => {
        const facts = factsOf(mnemonic);
        if (!facts || X87.test(mnemonic) || OBSOLETE.test(mnemonic)) return false;
        return !facts.features.every((feature) => OTHER.test(feature)) || facts.features.length === 0;
      })
      .filter((mnemonic) => descriptionOf(mnemonic) === undefined);
    assert.deepEqual(missing, []);
  });

  it('says that an instruction exits when the emulator’s table does', () => {
    const wrong = instructionRows
      .filter(({ exits }) => exits !== undefined)
      // These controls decide between #UD and no #UD.
      .filter(({ mnemonic }) => mnemonic !== 'rdpid')
      .filter(({ mnemonic, exits }) => {
        const names = factsOf(mnemonic) ? [mnemonic] : ['b', 'w', 'd'].map((size) => mnemonic + size);
        const vmx = names.map((name) => exitsOf(name)?.vmx).find((found) => found !== undefined);
        if (!vmx) return true;
        // What the machine leaves out (VMCS shadowing, SMM) makes these unconditional there.
        const isSimpler = /^(vmread|vmwrite|rsm)$/.test(mnemonic);
        return exits === 'always' && vmx.control !== undefined && !isSimpler;
      })
      .map(({ mnemonic }) => mnemonic);
    assert.deepEqual(wrong, []);
  });

  it('knows the exits of every instruction that iced-x86 knows to exit', () => {
    const missing = Object.keys(Mnemonic)
      .map((key) => key.toLowerCase())
      .filter((mnemonic) => {
        const facts = factsOf(mnemonic);
        return facts !== undefined && (facts.mayVmExit.intel || facts.mayVmExit.amd) && !exitsOf(mnemonic);
      })
      .filter((mnemonic) => !BY_TABLES.test(mnemonic));
    assert.deepEqual(missing, []);
    assert.deepEqual(
      [...exitingMnemonics()].filter((mnemonic) => factsOf(mnemonic) === undefined),
      [],
    );
  });

  it('has the flags that the emulator writes', () => {
    const wrong = instructionRows
      .filter(({ mnemonic, kind }) => kind === 'hot' && factsOf(mnemonic) !== undefined && mnemonic !== 'mov')
      .filter(({ mnemonic, writes = [], undefined: unpredictable = [] }) => {
        const { written, cleared, set, undefined: none } = factsOf(mnemonic)!.flags;
        const known = new Set<string>([...written, ...cleared, ...set, ...none]);
        return ![...writes, ...unpredictable].every((flag) => known.has(flag));
      })
      .map(({ mnemonic }) => mnemonic);
    assert.deepEqual([...new Set(wrong)], []);
  });
});

describe('the other tables', () => {
  it('have no number and no name twice', () => {
    const twice = (keys: readonly (string | number)[]): (string | number)[] =>
      keys.filter((key, index) => keys.indexOf(key) !== index);
    assert.deepEqual(twice(msrs.map(({ index }) => index)), []);
    assert.deepEqual(twice(cpuidLeaves.map(({ leaf }) => leaf)), []);
    assert.deepEqual(twice(hypercalls.map(({ name }) => name)), []);
    assert.deepEqual(twice(hypercalls.map(({ hypervisor, number }) => `${hypervisor} ${number}`)), []);
  });
  it('find MSRs by the names of the manual and of the kernel', () => {
    const names = [
      'IA32_LSTAR',
      'MSR_LSTAR',
      'MSR_SYSCALL_MASK',
      'MSR_IA32_APICBASE',
      'MSR_EFER',
      'MSR_KVM_STEAL_TIME',
    ];
    assert.deepEqual(
      names.map((name) => msrNamed(name)?.index),
      [0xc0000082, 0xc0000082, 0xc0000084, 0x1b, 0xc0000080, 0x4b564d03],
    );
  });
  it('know the parts of registers', () => {
    assert.deepEqual(['ah', 'r8d', 'sil', 'r15w', 'cr0'].map(wholeRegister), [
      'rax',
      'r8',
      'rsi',
      'r15',
      undefined,
    ]);
    assert.deepEqual(['ah', 'r8d', 'r8', 'rax', 'eax', 'ax'].map(registerBits), [8, 32, 64, 64, 32, 16]);
    assert.equal(generalRegisters(32, false).length, 8);
    assert.equal(generalRegisters(64, true).length, 16);
  });
  it('know the directives', () => {
    for (const name of ['.globl', '.p2align', '.cfi_startproc', '.code32', '.rept'])
      assert.ok(directiveNamed(name));
  });
});
