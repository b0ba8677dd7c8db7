import type { Diagnostic } from '../diagnostic.js';
import type { ObjectFile, ObjectPlace, ObjectSymbol } from '../elf/objectFile.js';

/** The source place of a byte of a section, or the object's name. */
export function placeAt(object: ObjectFile, section: number, offset: number): ObjectPlace {
  return object.locate?.(section, offset) ?? { file: object.name, line: 0 };
}

/** The source place of a definition, or the object's name. */
export function placeOf(object: ObjectFile, symbol: ObjectSymbol): ObjectPlace {
  const { section, value } = symbol;
  const defined = object.locateSymbol?.(object.symbols.indexOf(symbol));
  if (defined) return defined;
  return typeof section === 'number'
    ? placeAt(object, section, Number(value))
    : { file: object.name, line: 0 };
}

/** `.text+0x12`, for objects without line information. */
export function describeOffset(object: ObjectFile, section: number, offset: number): string {
  return `${object.sections[section].name}+0x${offset.toString(16)}`;
}

export function errorIn({ file, line, column = 1, endColumn }: ObjectPlace, message: string): Diagnostic {
  return {
    severity: 'error',
    file,
    line: Math.max(1, line),
    column,
    endColumn: endColumn ?? column + 1,
    message,
  };
}
