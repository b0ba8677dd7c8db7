import { DebugInfo } from '../debuginfo/debugInfo.js';
import { ElfFile } from '../elf/elfFile.js';
import type { ObjectPlace } from '../elf/objectFile.js';

/** Sections of an object all start at 0: apart by this much, an address says its section. */
const SPACING = { 32: 0x100000n, 64: 0x100000000n } as const;

/**
 * Finds source lines of an object's code through its DWARF. `section` is the index in the file; undefined without
 * debug information.
 */
export function objectLines(bytes: Uint8Array): (section: number, offset: number) => ObjectPlace | undefined {
  let debugInfo: DebugInfo | undefined;
  const { bits } = new ElfFile(bytes);
  return (section, offset) => {
    try {
      debugInfo ??= DebugInfo.load(spread(bytes), 'object');
      const row = debugInfo.lineAt(SPACING[bits] * BigInt(section) + BigInt(offset));
      return row && { file: row.file, line: row.line, ...(row.column > 0 ? { column: row.column } : {}) };
    } catch {
      // The debug information is broken: a message without a line is better than none.
      return undefined;
    }
  };
}

/** The object with an address of its own for every section. */
function spread(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  const { bits, sections } = new ElfFile(bytes);
  const headers = bits === 64 ? Number(view.getBigUint64(0x28, true)) : view.getUint32(0x20, true);
  const headerSize = view.getUint16(bits === 64 ? 0x3a : 0x2e, true);
  for (const { index } of sections) {
    const at = headers + index * headerSize;
    if (bits === 64) view.setBigUint64(at + 0x10, SPACING[64] * BigInt(index), true);
    else view.setUint32(at + 0x0c, Number(SPACING[32]) * index, true);
  }
  return copy;
}
