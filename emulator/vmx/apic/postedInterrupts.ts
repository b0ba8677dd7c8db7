/** Posted-interrupt processing: SDM 3C 30.6. */
import type { VmxContext } from '../context.js';
import { Field } from '../fields.js';
import type { VirtualApic } from './virtualApic.js';

/** The posted-interrupt descriptor: 256 posted-interrupt requests, then the outstanding-notification bit. */
const OUTSTANDING_NOTIFICATION_OFFSET = 32;
const REQUEST_WORDS = 8;

/**
 * Takes an acknowledged interrupt as a notification: its requests become virtual interrupts. False when its vector is
 * not the notification vector.
 */
export function processPostedInterrupts(context: VmxContext, apic: VirtualApic, vector: number): boolean {
  const { physical, vmcs, processor } = context;
  if (vector !== vmcs.read32(Field.postedInterruptNotificationVector)) return false;
  processor.apic.endOfInterrupt();
  const descriptor = Number(vmcs.read(Field.postedInterruptDescriptorAddress));
  const outstanding = descriptor + OUTSTANDING_NOTIFICATION_OFFSET;
  physical.write32(outstanding, physical.read32(outstanding) & ~1);
  for (let word = 0; word < REQUEST_WORDS; word++) {
    const requests = physical.read32(descriptor + word * 4);
    physical.write32(descriptor + word * 4, 0);
    for (let bit = 0; bit < 32; bit++) if (requests & (1 << bit)) apic.request(word * 32 + bit);
  }
  apic.evaluate();
  return true;
}
