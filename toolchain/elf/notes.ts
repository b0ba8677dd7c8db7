import { ByteReader } from './byteReader.js';
import { NT_GNU_BUILD_ID, PT, SHT } from './constants.js';
import type { ElfFile } from './elfFile.js';
import { fileRange } from './elfFile.js';

export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}

/** All notes: of the SHT_NOTE sections, or of the PT_NOTE segments in a file without section headers. */
export function readNotes(elf: ElfFile): ElfNote[] {
  const sections = elf.sections.filter((section) => section.type === SHT.NOTE);
  if (sections.length > 0) {
    return sections.flatMap((section) => parseNotes(elf.contentOf(section), section.name));
  }
  return elf.programHeaders
    .filter((header) => header.type === PT.NOTE)
    .flatMap((header) =>
      parseNotes(fileRange(elf.bytes, header.offset, header.fileSize, 'PT_NOTE'), 'PT_NOTE'),
    );
}

/** The build ID in lower-case hexadecimal, which pairs a program with its separate debug file. */
export function buildId(elf: ElfFile): string | undefined {
  const note = elf.notes.find(({ owner, type }) => owner === 'GNU' && type === NT_GNU_BUILD_ID);
  return note && Array.from(note.description, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function parseNotes(bytes: Uint8Array, sectionName: string): ElfNote[] {
  const reader = new ByteReader(bytes, sectionName);
  const notes: ElfNote[] = [];
  while (!reader.atEnd) {
    const nameSize = reader.u32();
    const descriptionSize = reader.u32();
    const type = reader.u32();
    const owner = new TextDecoder().decode(reader.block(nameSize)).replace(/\0$/, '');
    align4(reader);
    const description = reader.block(descriptionSize);
    align4(reader);
    notes.push({ owner, type, description });
  }
  return notes;
}

/** Both parts are padded to four bytes, in ELF64 too, as all tools write it; the last padding may be missing. */
function align4(reader: ByteReader): void {
  reader.skip(Math.min(-reader.offset & 3, reader.end - reader.offset));
}
