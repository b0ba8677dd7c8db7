import { readObject } from '../elf/objectFile.js';
import type { ObjectFile } from '../elf/objectFile.js';
import { objectLines } from './objectLines.js';

/**
 * Reads an object of a compiler; its debug information gives messages their lines.
 * @throws FormatError for what is no relocatable x86 object
 */
export function loadObject(name: string, bytes: Uint8Array): ObjectFile {
  const object = readObject(name, bytes);
  const lineOf = objectLines(bytes);
  return {
    ...object,
    locate: (section, offset) => lineOf(object.fileIndexes![section], offset),
  };
}
