/** Changes to a valid VMCS, and what an exit is expected to record: shared by the tests of VM exits. */
import assert from 'node:assert/strict';
import { Primary } from '../vmx/controls.js';
import type { VmcsFieldName } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import type { Fixture } from './vmxFixture.js';
import { HOST_RIP } from './vmxFixture.js';

export type Change = (fixture: Fixture) => void;

export const on =
  (name: VmcsFieldName, bits: number): Change =>
  ({ vmcs }) =>
    vmcs.write32(Field[name], (vmcs.read32(Field[name]) | bits) >>> 0);
export const put =
  (name: VmcsFieldName, value: bigint): Change =>
  ({ vmcs }) =>
    vmcs.write(Field[name], value);
export const primary = (control: number): Change => on('primaryProcBasedControls', control);
export const secondary =
  (control: number): Change =>
  (fixture) => {
    primary(Primary.activateSecondaryControls)(fixture);
    on('secondaryProcBasedControls', control)(fixture);
  };
export const all =
  (...changes: Change[]): Change =>
  (fixture) => {
    for (const change of changes) change(fixture);
  };
export const none: Change = () => undefined;

export interface Recorded {
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
export function expectExit(fixture: Fixture, expect: Recorded): void {
  const zero = {
    qualification: 0n, length: 0, information: 0, interruption: 0, errorCode: 0, vectoring: 0, linear: 0n, physical: 0n,
  }; // prettier-ignore
  assert.equal(fixture.vmx.inGuest, false);
  assert.equal(fixture.processor.state.rip, HOST_RIP);
  assert.deepEqual(recorded(fixture), { ...zero, ...expect });
}
