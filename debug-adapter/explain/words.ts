/** Words that explanations share. */
import type { World } from '../../emulator/machine/machineTypes.js';

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

export const worldName = (world: World): string => (world === 'guest' ? 'the guest' : 'VMX root operation');
