import assert from 'node:assert/strict';
import type { HypercallRecord } from '../../debug-adapter/protocol.js';

/** One test that compares what a function makes of an input. */
export function check<Input, Output>(name: string, make: (input: Input) => Output) {
  return (input: Input, expect: Output): void => {
    it(`${name}: ${JSON.stringify(input)}`, () => assert.deepEqual(make(input), expect));
  };
}

/** An answered call with a result, changed where a test needs it. */
export function aCall(change: Partial<HypercallRecord> = {}): HypercallRecord {
  const before = { rax: '0x5', rbx: '0x1000', rcx: '0x0', rdx: '0x0', rsi: '0x0' };
  return {
    seq: 12,
    position: 123456,
    vcpu: 0,
    kind: 'kvm',
    nr: '0x5',
    name: 'KVM_HC_KICK_CPU',
    before,
    after: { ...before, rax: '0xfffffffffffffc18' },
    cpl: 0,
    result: '-KVM_ENOSYS',
    virtualNs: 2_000_000,
    durationNs: 1_240,
    rip: '0x401012',
    source: { file: '/guests/hello.S', line: 12 },
    handler: { name: 'kvm_pv_kick_cpu_op', file: '/kvm/x86.c', line: 80 },
    blockedIn: null,
    ...change,
  };
}
