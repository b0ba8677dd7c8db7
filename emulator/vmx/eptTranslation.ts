/** Guest-physical addresses through EPT with what follows from it: VM exits, accessed and dirty flags, the modification log. */
import { Access, PageAttribute, Translation } from '../cpu/seams.js';
import type { GuestAccess } from '../cpu/seams.js';
import { accessApicPageByGuestPhysical, apicAccessPage } from './apic/apicAccess.js';
import type { VmxContext } from './context.js';
import { Secondary } from './controls.js';
import { EptResult, EptWalker } from './ept.js';
import { vmExit } from './exit.js';
import { ExitReason } from './exitReasons.js';
import { Field } from './fields.js';
import { takesVirtualizationException } from './virtualizationException.js';

/** Bits of the qualification of an EPT violation beyond the access (SDM 3C table 28-7). */
const LINEAR_ADDRESS_VALID = 1 << 7;
const FINAL_TRANSLATION = 1 << 8;
const PERMISSIONS_SHIFT = 3;
/** Bit 10 of an entry is reported in bit 6. */
const USER_EXECUTE_TO_QUALIFICATION = 10 - 6;
const ACCESS_BITS = 7;
const PAGE_ATTRIBUTES_SHIFT = 9;

/** EPTP bits 51:12: the physical address of the EPT PML4 table. Bit 6: accessed and dirty flags are enabled. */
const EPT_ROOT_MASK_LOW = 0xffff_f000;
const EPT_ROOT_MASK_HIGH = 0x000f_ffff;
const EPTP_ACCESSED_DIRTY = 1 << 6;

const PML_ENTRIES = 512;

export class EptTranslation {
  private readonly ept: EptWalker;

  constructor(private readonly context: VmxContext) {
    this.ept = new EptWalker(context.physical);
  }

  /** Host-physical address, EXITED or VIRTUALIZATION_EXCEPTION. */
  translate(guestPhysical: number, access: number, how: GuestAccess | undefined): number {
    const { context, ept } = this;
    const modeBased = context.secondary(Secondary.modeBasedExecuteControl);
    const userMode = how !== undefined && (how.attributes & PageAttribute.USER) !== 0;
    const flags = this.accessedDirty;
    // SDM 3C 29.3.5: with the flags, accesses to guest paging-structure entries are treated as writes.
    const kinds = flags && how?.pageWalk ? access | Access.READ | Access.WRITE : access;
    const result = ept.walk(this.root, guestPhysical, kinds, modeBased, userMode);
    if (result === EptResult.TRANSLATED) {
      if (flags && !this.noteUse(guestPhysical, (kinds & Access.WRITE) !== 0)) return Translation.EXITED;
      if (how?.pageWalk && this.walksApicPage()) return Translation.EXITED;
      return ept.physicalAddress;
    }
    if (result === EptResult.VIOLATION) return this.violation(guestPhysical, kinds, how, modeBased);
    this.misconfiguration(guestPhysical);
    return Translation.EXITED;
  }

  /** The same without side effects, through the tables of the current VMCS; -1 where nothing is mapped. */
  probe(guestPhysical: number): number {
    return this.probeThrough(this.root, guestPhysical);
  }

  /** Host-physical address through the EPT paging structures at `root`, or -1 where nothing is mapped. */
  probeThrough(root: number, guestPhysical: number): number {
    return this.ept.walk(root, guestPhysical, 0) === EptResult.TRANSLATED ? this.ept.physicalAddress : -1;
  }

  /** A guest paging structure on the APIC-access page: its access is a VM exit, which is made. */
  private walksApicPage(): boolean {
    const { physicalAddress } = this.ept;
    if (Math.floor(physicalAddress / 4096) !== apicAccessPage(this.context)) return false;
    accessApicPageByGuestPhysical(this.context, physicalAddress % 4096);
    return true;
  }

  private misconfiguration(guestPhysical: number): void {
    vmExit(this.context, {
      reason: ExitReason.EPT_MISCONFIG,
      guestPhysicalAddress: guestPhysical,
      setsResumeFlag: true,
    });
  }

  private violation(
    guestPhysical: number,
    access: number,
    how: GuestAccess | undefined,
    modeBased: boolean,
  ): number {
    const { permissions } = this.ept;
    const userExecute = modeBased ? permissions >> USER_EXECUTE_TO_QUALIFICATION : 0;
    const qualification =
      (access & ACCESS_BITS) |
      ((permissions & ACCESS_BITS) << PERMISSIONS_SHIFT) |
      (userExecute & (1 << 6)) |
      (how ? linearAddressBits(how) : 0);
    const { suppressesException } = this.ept;
    if (
      takesVirtualizationException(
        this.context,
        suppressesException,
        qualification,
        how?.linear ?? 0n,
        guestPhysical,
      )
    ) {
      return Translation.VIRTUALIZATION_EXCEPTION;
    }
    vmExit(this.context, {
      reason: ExitReason.EPT_VIOLATION,
      qualification: BigInt(qualification),
      guestLinearAddress: how?.linear,
      guestPhysicalAddress: guestPhysical,
      setsResumeFlag: true,
    });
    return Translation.EXITED;
  }

  // -------------------------------------------------------------- accessed and dirty flags

  private get accessedDirty(): boolean {
    return (this.context.vmcs.read32(Field.eptPointer) & EPTP_ACCESSED_DIRTY) !== 0;
  }

  /** False when the page-modification log was full, which is a VM exit instead of the access (SDM 3C 29.3.6). */
  private noteUse(guestPhysical: number, write: boolean): boolean {
    if (write && !this.ept.dirty && this.context.secondary(Secondary.enablePml)) {
      if (!this.logModification(guestPhysical)) return false;
    }
    this.ept.setFlags(write);
    return true;
  }

  private logModification(guestPhysical: number): boolean {
    const { vmcs, physical } = this.context;
    const index = vmcs.read32(Field.guestPmlIndex);
    if (index >= PML_ENTRIES) {
      vmExit(this.context, { reason: ExitReason.PML_FULL, setsResumeFlag: true });
      return false;
    }
    const page = BigInt(Math.floor(guestPhysical / 4096) * 4096);
    physical.write64(Number(vmcs.read(Field.pmlAddress)) + index * 8, page);
    vmcs.write32(Field.guestPmlIndex, index - 1);
    return true;
  }

  private get root(): number {
    const { vmcs } = this.context;
    const high = vmcs.readHigh(Field.eptPointer) & EPT_ROOT_MASK_HIGH;
    return high * 2 ** 32 + ((vmcs.read32(Field.eptPointer) & EPT_ROOT_MASK_LOW) >>> 0);
  }
}

/** Bits 7 and 8, and for the final translation the advanced information in bits 11:9. */
function linearAddressBits({ pageWalk, attributes }: GuestAccess): number {
  if (pageWalk) return LINEAR_ADDRESS_VALID;
  return LINEAR_ADDRESS_VALID | FINAL_TRANSLATION | (attributes << PAGE_ATTRIBUTES_SHIFT);
}
