import { ET, SHF } from '../elf/constants.js';
import type { ElfFile } from '../elf/elfFile.js';

/**
 * Says whether an address lies in the file's code. Linkers leave debug information of code they dropped in place, at
 * address 0, 1 or -1; it must not be taken for the code that is really there.
 */
export function codeFilter(elf: ElfFile): (address: bigint) => boolean {
  const executable = elf.sections.filter(({ flags }) => (flags & SHF.EXECINSTR) !== 0);
  if (elf.type === ET.REL || executable.length === 0) {
    return () => true;
  }
  return (address) =>
    executable.some(
      (section) => address >= section.address && address < section.address + BigInt(section.size),
    );
}
