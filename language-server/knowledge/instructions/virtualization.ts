/** VMX (SDM 3D chapter 31), TDX and SVM (APM 3 chapter 4). */
import { CPL0 } from './text.js';
import type { InstructionText } from './text.js';

const ROOT = 'CPL 0 in VMX root operation; in VMX non-root operation it exits';

// prettier-ignore
export const virtualization: readonly InstructionText[] = [
  ['vmcall', 'Call the VM monitor', 'In a guest: a VM exit to the hypervisor, the hypercall of Intel processors. The hypervisor reads the registers, sets RAX and advances RIP by 3 itself.', 'any CPL in a guest (the hypervisor sees the CPL); CPL 0 in VMX root operation'],
  ['vmlaunch', 'Launch a virtual machine', 'VM entry with the current VMCS, whose launch state must be clear. It goes on at the guest\'s RIP; falling through means failure, with CF or ZF set.', ROOT],
  ['vmresume', 'Resume a virtual machine', 'VM entry with the current VMCS, whose launch state must be launched. Falling through means failure, with CF or ZF set.', ROOT],
  ['vmxon', 'Enter VMX operation', 'Enters VMX root operation with the VMXON region at a 4-KByte-aligned physical address whose first 31 bits are the VMCS revision. CR4.VMXE and IA32_FEATURE_CONTROL must allow it.', CPL0],
  ['vmxoff', 'Leave VMX operation', 'Leaves VMX operation; INIT and A20M are not blocked any more.', ROOT],
  ['vmclear', 'Clear a VMCS', 'Writes the VMCS at the physical address back to memory and makes its launch state clear.', ROOT],
  ['vmptrld', 'Load the VMCS pointer', 'Makes the VMCS at the physical address active and current. Its revision must be the processor\'s.', ROOT],
  ['vmptrst', 'Store the VMCS pointer', 'memory ← the current-VMCS pointer (all ones for none)', ROOT],
  ['vmread', 'Read a VMCS field', 'destination ← the field of the current VMCS whose encoding is in the register. CF: no current VMCS, ZF: no such field (VM-instruction error 12).', ROOT],
  ['vmwrite', 'Write a VMCS field', 'the field whose encoding is in the register ← source. CF: no current VMCS, ZF: no such field, or a read-only one (VM-instruction error 12, 13).', ROOT],
  ['vmfunc', 'Invoke a VM function', 'Function EAX of the guest\'s VM-function controls; 0 switches the EPT pointer to entry ECX of the list.', 'any CPL in a guest; #UD elsewhere'],
  ['invept', 'Invalidate EPT mappings', 'Forgets translations derived from EPT: 1 one EPT pointer, 2 all.', ROOT],
  ['invvpid', 'Invalidate by VPID', 'Forgets translations of a VPID: 0 one address, 1 one VPID, 2 all VPIDs, 3 one VPID but global ones.', ROOT],
  ['tdcall', 'Call the TDX module', 'From a TDX guest: a call of the TDX module; RAX selects the leaf.', CPL0],
  ['seamcall seamret seamops', 'SEAM transfer', 'Enters, leaves or serves the TDX module.', CPL0],
  ['vmrun', 'Run a virtual machine', 'Saves the host\'s state, loads the guest\'s from the VMCB at physical address rAX, and runs it until #VMEXIT. EFER.SVME must be 1.', CPL0],
  ['vmmcall', 'Call the VM monitor', 'In a guest: #VMEXIT to the hypervisor, the hypercall of AMD processors. #UD when the VMCB does not intercept it, and on Intel processors.', 'any CPL in a guest'],
  ['vmload', 'Load guest state', 'Loads FS, GS, TR, LDTR, KernelGsBase, STAR, LSTAR, CSTAR, SFMASK and the SYSENTER MSRs from the VMCB at physical address rAX.', CPL0],
  ['vmsave', 'Save guest state', 'Saves to the VMCB at physical address rAX what VMLOAD loads.', CPL0],
  ['stgi', 'Set the global interrupt flag', 'GIF ← 1: interrupts, NMIs, SMIs and INITs that were held back arrive.', CPL0],
  ['clgi', 'Clear the global interrupt flag', 'GIF ← 0: interrupts, NMIs, SMIs and INITs are held back.', CPL0],
  ['skinit', 'Secure init and jump', 'Starts the secure loader at the physical address in EAX after measuring it.', CPL0],
  ['invlpga', 'Invalidate a TLB entry of an ASID', 'Forgets the translation of the page at rAX for the ASID in ECX.', CPL0],
  ['vmgexit', 'Exit to the hypervisor through the GHCB', 'From an SEV-ES guest: an automatic exit; the guest-hypervisor communication block has the request.', 'any CPL in an SEV-ES guest; else as VMMCALL'],
  ['pvalidate', 'Validate a page', 'SEV-SNP guest: changes the validated bit of the page at rAX.', CPL0],
  ['rmpadjust rmpquery', 'Adjust or query page permissions', 'SEV-SNP guest: permissions of a page at other VM privilege levels.', CPL0],
  ['rmpupdate psmash', 'Change the reverse map', 'SEV-SNP host: writes an entry of the reverse-map table, or splits a 2-MByte one.', CPL0],
];
