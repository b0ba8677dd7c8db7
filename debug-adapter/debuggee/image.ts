/** The symbols of one ELF file in one world. */
import type { World } from '../../emulator/machine/machineTypes.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';

export interface Image {
  readonly world: World;
  readonly debugInfo: DebugInfo;
  /** Absolute path, on this machine, of a file name in the debug information. */
  sourcePath(file: string): string;
  /** The name in the debug information of an absolute path; undefined when this image has no code from it. */
  debugName(path: string): string | undefined;
}

/** DWARF of the shipped host names its files relative to the installation: `./hypervisors/kvm/x86.c`. */
export function createImage(world: World, debugInfo: DebugInfo, baseFolder: string): Image {
  const base = baseFolder.replace(/[/\\]+$/, '');
  const absolute = (file: string): string =>
    /^([/\\]|[a-z]:)/i.test(file) ? file : `${base}/${file.replace(/^\.[/\\]/, '')}`;
  const normalize = (path: string): string => path.replace(/\\/g, '/').toLowerCase();
  const byPath = new Map(debugInfo.sourceFiles.map((file) => [normalize(absolute(file)), file]));
  return {
    world,
    debugInfo,
    sourcePath: absolute,
    debugName: (path) => byPath.get(normalize(path)),
  };
}
