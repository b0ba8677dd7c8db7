import { FormatError } from '../elf/byteReader.js';
import { SHN, STB } from '../elf/constants.js';
import { ElfFile } from '../elf/elfFile.js';
import type { ObjectFile } from '../elf/objectFile.js';
import { loadObject } from './loadObject.js';

/** A member of an archive, with the names that it defines. */
export interface ArchiveMember {
  /** `archive(member)` */
  readonly name: string;
  readonly defined: ReadonlySet<string>;
  /** Reads the object; with its debug information only when messages need it. */
  readonly load: () => ObjectFile;
}

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;
const ascii = new TextDecoder('latin1');

export function isArchive(bytes: Uint8Array): boolean {
  return ascii.decode(bytes.subarray(0, MAGIC.length)) === MAGIC;
}

/**
 * The objects of a System V archive (`.a`, gABI 7 "Archive File"); members that are no ELF objects are left out.
 * @throws FormatError
 */
export function readArchive(name: string, bytes: Uint8Array): ArchiveMember[] {
  if (!isArchive(bytes)) throw new FormatError(name, 0, 'not an archive');
  const members: ArchiveMember[] = [];
  let longNames = '';
  let at = MAGIC.length;
  while (at + HEADER_BYTES <= bytes.length) {
    const header = ascii.decode(bytes.subarray(at, at + HEADER_BYTES));
    const size = Number.parseInt(header.slice(48, 58), 10);
    const start = at + HEADER_BYTES;
    if (!header.endsWith('`\n') || !(size >= 0) || start + size > bytes.length)
      throw new FormatError(name, at, 'a broken member header');
    const content = bytes.subarray(start, start + size);
    const written = header.slice(0, 16).trimEnd();
    if (written === '//') longNames = ascii.decode(content);
    else if (written !== '/' && written !== '/SYM64/') addMember(members, name, written, longNames, content);
    // Members start at even offsets.
    at = start + size + (size % 2);
  }
  return members;
}

function addMember(
  members: ArchiveMember[],
  archive: string,
  written: string,
  longNames: string,
  content: Uint8Array,
): void {
  const long = /^\/(\d+)$/.exec(written);
  const name = long ? longNames.slice(Number(long[1])).split('/\n')[0] : written.replace(/\/$/, '');
  if (content[0] !== 0x7f || content[1] !== 0x45) return;
  const elf = new ElfFile(content.slice());
  const defined = new Set<string>();
  for (const symbol of elf.symbols) {
    if (symbol.binding !== STB.LOCAL && symbol.sectionIndex !== SHN.UNDEF) defined.add(symbol.name);
  }
  const fullName = `${archive}(${name})`;
  members.push({ name: fullName, defined, load: () => loadObject(fullName, elf.bytes) });
}
