/** VMX (SDM 3D chapter 31) and SVM (APM 3 chapter 4) instructions. */
import type { InstructionRow } from '../table.js';
import { ALL, cold } from './define.js';

/** VMsucceed, VMfailInvalid and VMfailValid set all six flags (SDM 3D 31.2). */
const vmx = { privilege: 'cpl0', writes: ALL, exits: 'always' } as const;
const vmxFlagless = { writes: ALL, exits: 'always' } as const;
const vmx64 = { ...vmx, force64: true } as const;
const svm = { privilege: 'cpl0' } as const;

export const vmxInstructions: readonly InstructionRow[] = [
  cold('vmcall', 'NP 0F 01 C1', [], 'Calls the hypervisor', vmxFlagless),
  cold('vmlaunch', 'NP 0F 01 C2', [], 'Enters the guest of a clear VMCS', vmx),
  cold('vmresume', 'NP 0F 01 C3', [], 'Enters the guest of a launched VMCS', vmx),
  cold('vmxoff', 'NP 0F 01 C4', [], 'Leaves VMX operation', vmx),
  cold('vmfunc', 'NP 0F 01 D4', [], 'Invokes a VM function', { exits: 'enable VM functions' }),
  cold('vmread', 'NP 0F 78 /r', ['Ey', 'Gy'], 'Reads a field of the current VMCS', vmx64),
  cold('vmwrite', 'NP 0F 79 /r', ['Gy', 'Ey'], 'Writes a field of the current VMCS', vmx64),
  cold('vmptrld', 'NP 0F C7 /6', ['Mq'], 'Makes a VMCS current', vmx),
  cold('vmclear', '66 0F C7 /6', ['Mq'], 'Writes a VMCS back and clears it', vmx),
  cold('vmxon', 'F3 0F C7 /6', ['Mq'], 'Enters VMX operation', vmx),
  cold('vmptrst', 'NP 0F C7 /7', ['Mq'], 'Stores the current-VMCS pointer', vmx),
  cold('invept', '66 0F 38 80 /r', ['Gy', 'Mdq'], 'Invalidates mappings derived from EPT', vmx64),
  cold('invvpid', '66 0F 38 81 /r', ['Gy', 'Mdq'], 'Invalidates mappings of a VPID', vmx64),
];

export const svmInstructions: readonly InstructionRow[] = [
  cold('vmrun', '0F 01 D8', [], 'Enters the guest of the VMCB at rAX', svm),
  cold('vmmcall', '0F 01 D9', [], 'Calls the hypervisor'),
  cold('vmload', '0F 01 DA', [], 'Loads state from the VMCB at rAX', svm),
  cold('vmsave', '0F 01 DB', [], 'Saves state to the VMCB at rAX', svm),
  cold('stgi', '0F 01 DC', [], 'Sets the global interrupt flag', svm),
  cold('clgi', '0F 01 DD', [], 'Clears the global interrupt flag', svm),
  cold('skinit', '0F 01 DE', [], 'Secure init and jump', svm),
  cold('invlpga', '0F 01 DF', [], 'Invalidates the page rAX of the ASID in ECX', svm),
];
