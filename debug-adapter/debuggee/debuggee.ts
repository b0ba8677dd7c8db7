/** What is debugged: the machine, the symbols of its worlds, and what world switches have told so far. */
import type { Fault } from '../../emulator/cpu/fault.js';
import type { Machine, TranslationContext, World } from '../../emulator/machine/machineTypes.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import { createHypercallLog } from '../hypercalls/createLog.js';
import type { HypercallLog } from '../hypercalls/log.js';
import { explainTripleFault } from '../explain/failure.js';
import type { RaisedFault } from '../explain/failure.js';
import type { HandlersImage, OwnHypercall } from '../launch/handlersImage.js';
import type { HostThreads } from '../launch/hostThreads.js';
import { readHostThreads } from '../launch/hostThreads.js';
import type { PreparedLaunch } from '../launch/prepareLaunch.js';
import { VcpuNumbers } from '../launch/vcpuNumbers.js';
import { ExitCounts } from '../vmexits/counts.js';
import type { Image } from './image.js';
import { createImage } from './image.js';
import { guestTranslation, hostTranslation } from './translation.js';

export class Debuggee {
  readonly machine: Machine;
  readonly log: HypercallLog;
  readonly exitCounts = new ExitCounts();
  readonly vcpus: VcpuNumbers;
  /** The last VM exit of each VMCS: the guest's registers while the host runs. */
  readonly lastExits = new Map<number, WorldSwitch>();
  /** The last exception that an instruction raised. */
  lastFault: RaisedFault | undefined;
  /** What makes this run a failed one, in words: the first triple fault of a guest, or refused VM entry. */
  failure: string | undefined;
  /** Own handlers in the machine now; changed by a reload. */
  ownHypercalls: readonly OwnHypercall[] = [];
  private readonly rootImages: Image[] = [];
  private readonly guestImages: Image[] = [];

  constructor(
    readonly launch: PreparedLaunch,
    private readonly installFolder: string,
  ) {
    this.machine = launch.machine;
    this.log = createHypercallLog(launch);
    this.vcpus = new VcpuNumbers(this.machine, launch.host?.debugInfo);
    const { host, guest } = launch;
    this.rootImages.push(createImage('root', (host ?? guest).debugInfo, installFolder));
    // On bare metal the program may bring a guest of its own along.
    this.guestImages.push(createImage('guest', guest.debugInfo, installFolder));
    if (launch.handlers) this.addHandlers(launch.handlers);
  }

  /** Takes a world switch into the log, the counts and the last exits. */
  observe(event: WorldSwitch): void {
    if (event.exit) {
      this.lastExits.set(event.vmcs, event);
      this.vcpus.of(event.vmcs);
      this.failure ??= explainTripleFault(this, event);
    }
    this.log.observe(event);
    this.exitCounts.observe(event);
  }

  observeException(world: World, fault: Fault, rip: bigint): void {
    this.lastFault = { world, fault, rip, csBase: this.machine.state.csBase };
  }

  /** A new image of handlers joins the host's symbols; older ones stay, a thread may still be inside. */
  addHandlers(handlers: HandlersImage): void {
    this.rootImages.unshift(createImage('root', handlers.debugInfo, this.installFolder));
    this.ownHypercalls = handlers.hypercalls;
  }

  private imagesOf(world: World): Image[] {
    return world === 'root' ? this.rootImages : this.guestImages;
  }

  /** Images of a world, the newest handlers first. */
  images(world: World): readonly Image[] {
    return this.imagesOf(world);
  }

  get allImages(): readonly Image[] {
    return [...this.rootImages, ...this.guestImages];
  }

  /** The image whose code or data lies at a linear address of a world. */
  imageAt(world: World, address: bigint): Image | undefined {
    return this.imagesOf(world).find(({ debugInfo }) =>
      debugInfo.elf.programHeaders.some(
        ({ virtualAddress, memorySize }) =>
          address >= virtualAddress && address < virtualAddress + memorySize,
      ),
    );
  }

  /** Page tables of the root world, whatever world runs now. */
  get rootTranslation(): TranslationContext {
    const { machine } = this;
    const vmcs = machine.currentVmcs;
    return machine.world === 'root' || vmcs === undefined
      ? machine.translation
      : hostTranslation(machine, vmcs);
  }

  /** Page tables of a guest, from its VMCS; the machine's own while it runs. */
  guestTranslation(vmcs: number): TranslationContext {
    const { machine } = this;
    return machine.world === 'guest' && machine.currentVmcs === vmcs
      ? machine.translation
      : guestTranslation(machine, vmcs);
  }

  /** The host's published threads, or undefined for a host without them and on bare metal. */
  get hostThreads(): HostThreads | undefined {
    const host = this.launch.host?.debugInfo;
    return host && readHostThreads(this.machine, host, this.rootTranslation);
  }
}
