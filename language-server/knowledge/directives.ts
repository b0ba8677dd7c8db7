/** The directives of GNU as: what they take and what they do. */

export interface DirectiveDescription {
  readonly name: string;
  /** How it is written, after the name. */
  readonly usage: string;
  readonly text: string;
}

type Row = readonly [names: string, usage: string, text: string];

// prettier-ignore
const rows: readonly Row[] = [
  ['.text', '[subsection]', 'Goes on in the section .text: code.'],
  ['.data', '[subsection]', 'Goes on in the section .data: initialized data.'],
  ['.bss', '', 'Goes on in the section .bss: zeros that take no room in the file.'],
  ['.section', 'name[, "flags"[, @type[, entsize]]]', 'Goes on in a section. Flags: a allocated, w writable, x executable, M mergeable, S strings, G group, T thread-local. Types: @progbits, @nobits, @note.'],
  ['.pushsection', 'name[, "flags"[, @type]]', 'Goes on in a section and remembers the current one for .popsection.'],
  ['.popsection', '', 'Returns to the section before the last .pushsection.'],
  ['.previous', '', 'Exchanges the current section with the one before it.'],
  ['.subsection', 'number', 'Goes on in a subsection of the current section.'],
  ['.code16', '', 'Code for 16-bit mode follows.'],
  ['.code32', '', 'Code for 32-bit mode follows: protected or compatibility mode.'],
  ['.code64', '', 'Code for 64-bit mode follows.'],
  ['.att_syntax', '[prefix|noprefix]', 'AT&T syntax follows: source first, sizes as suffixes, registers with %.'],
  ['.intel_syntax', '[prefix|noprefix]', 'Intel syntax follows: destination first; noprefix: registers without %.'],
  ['.globl .global', 'symbol[, …]', 'Makes symbols visible to other object files. A guest needs it for _start when it is linked.'],
  ['.weak', 'symbol[, …]', 'Makes symbols weak: another definition wins, and without one they are 0.'],
  ['.local', 'symbol[, …]', 'Keeps symbols inside of this object file.'],
  ['.hidden', 'symbol[, …]', 'Visible inside of the linked program only.'],
  ['.protected', 'symbol[, …]', 'Visible outside; references inside bind to this definition.'],
  ['.internal', 'symbol[, …]', 'As .hidden, and called from inside only.'],
  ['.extern', 'symbol', 'Says that a symbol is defined elsewhere; GNU as takes every undefined name so.'],
  ['.set .equ', 'symbol, expression', 'Gives a symbol a value, which may be changed later.'],
  ['.equiv', 'symbol, expression', 'Gives a symbol a value; an error if it has one.'],
  ['.eqv', 'symbol, expression', 'Gives a symbol an expression that is evaluated at each use.'],
  ['.type', 'symbol, @function|@object|@notype', 'The kind of a symbol in the symbol table.'],
  ['.size', 'symbol, expression', 'The size of a symbol, often `. - symbol`.'],
  ['.comm .lcomm', 'symbol, size[, alignment]', 'Reserves zeros that the linker merges by name (.lcomm: local).'],
  ['.byte', 'expression[, …]', '8-bit values.'],
  ['.word .short .hword .value .2byte', 'expression[, …]', '16-bit values.'],
  ['.long .int .4byte', 'expression[, …]', '32-bit values.'],
  ['.quad .8byte', 'expression[, …]', '64-bit values.'],
  ['.octa', 'number[, …]', '128-bit values.'],
  ['.float .single', 'number[, …]', '32-bit floating-point values.'],
  ['.double', 'number[, …]', '64-bit floating-point values.'],
  ['.tfloat', 'number[, …]', '80-bit floating-point values.'],
  ['.uleb128', 'expression[, …]', 'Unsigned numbers in LEB128.'],
  ['.sleb128', 'expression[, …]', 'Signed numbers in LEB128.'],
  ['.ascii', '"text"[, …]', 'The bytes of strings, without a zero at the end.'],
  ['.asciz .string', '"text"[, …]', 'The bytes of strings, each with a zero at the end.'],
  ['.string8 .string16 .string32 .string64', '"text"[, …]', 'Strings with characters of that many bits, each with a zero at the end.'],
  ['.skip .space', 'count[, fill]', 'Bytes of one value, 0 unless written.'],
  ['.zero', 'count', 'Zero bytes.'],
  ['.fill', 'repeat[, size[, value]]', 'A value of `size` bytes, repeated.'],
  ['.org', 'new-location[, fill]', 'Moves to an offset in the section, forwards only.'],
  ['.align .balign', 'bytes[, fill[, most]]', 'Fills up to a multiple of a number of bytes, with NOPs in code.'],
  ['.p2align', 'bits[, fill[, most]]', 'Fills up to a multiple of a power of 2, with NOPs in code.'],
  ['.balignw .balignl .p2alignw .p2alignl', 'alignment[, fill[, most]]', 'Aligns, filling with 2-byte or 4-byte values.'],
  ['.nops', 'size[, control]', 'As many bytes of NOP instructions.'],
  ['.incbin', '"file"[, skip[, count]]', 'The bytes of a file.'],
  ['.include', '"file"', 'Reads another source here.'],
  ['.macro', 'name [parameter[=default][:req|:vararg], …]', 'Begins a macro: its statements up to .endm, with \\parameter, \\@ (number of the expansion) and \\().'],
  ['.endm', '', 'Ends a macro.'],
  ['.exitm', '', 'Leaves a macro expansion.'],
  ['.purgem', 'name', 'Forgets a macro.'],
  ['.altmacro', '', 'Turns the alternate macro syntax on.'],
  ['.noaltmacro', '', 'Turns the alternate macro syntax off.'],
  ['.rept', 'count', 'Repeats the statements up to .endr.'],
  ['.irp', 'symbol, value[, …]', 'Repeats the statements up to .endr, once for each value.'],
  ['.irpc', 'symbol, characters', 'Repeats the statements up to .endr, once for each character.'],
  ['.endr', '', 'Ends .rept, .irp or .irpc.'],
  ['.if', 'expression', 'Assembles what follows if the expression is not 0.'],
  ['.ifdef', 'symbol', 'Assembles what follows if the symbol is defined.'],
  ['.ifndef .ifnotdef', 'symbol', 'Assembles what follows if the symbol is not defined.'],
  ['.ifeq', 'expression', 'Assembles what follows if the expression is 0.'],
  ['.ifne', 'expression', 'Assembles what follows if the expression is not 0.'],
  ['.ifge .ifgt .ifle .iflt', 'expression', 'Assembles what follows if the expression is ≥, >, ≤ or < 0.'],
  ['.ifb .ifnb', 'text', 'Assembles what follows if the operand is blank (.ifnb: is not).'],
  ['.ifc .ifnc', 'text, text', 'Assembles what follows if both texts are equal (.ifnc: are not).'],
  ['.ifeqs .ifnes', '"text", "text"', 'Assembles what follows if both strings are equal (.ifnes: are not).'],
  ['.else', '', 'Assembles what follows if nothing of the .if was.'],
  ['.elseif', 'expression', 'Assembles what follows if nothing of the .if was and the expression is not 0.'],
  ['.endif', '', 'Ends .if.'],
  ['.error', '"text"', 'An error with this text.'],
  ['.warning', '"text"', 'A warning with this text.'],
  ['.err', '', 'An error.'],
  ['.print', '"text"', 'Prints a text while assembling.'],
  ['.end', '', 'Ends the source; what follows is not read.'],
  ['.file', '["name"] or number "name"', 'The name of the source, or of a file for .loc.'],
  ['.loc', 'file line [column] [options]', 'The source line of what follows, in the debug information.'],
  ['.ident', '"text"', 'A text for the section .comment.'],
  ['.version', '"text"', 'A note with a version.'],
  ['.arch', 'cpu[, features]', 'Which instructions may be used.'],
  ['.symver', 'name, name@version', 'Binds a symbol to a version.'],
  ['.cfi_startproc', '[simple]', 'Begins the unwind information of a function.'],
  ['.cfi_endproc', '', 'Ends the unwind information of a function.'],
  ['.cfi_def_cfa', 'register, offset', 'The canonical frame address is register + offset from here on.'],
  ['.cfi_def_cfa_offset', 'offset', 'Changes the offset of the canonical frame address.'],
  ['.cfi_def_cfa_register', 'register', 'Changes the register of the canonical frame address.'],
  ['.cfi_adjust_cfa_offset', 'offset', 'Adds to the offset of the canonical frame address.'],
  ['.cfi_offset', 'register, offset', 'The caller\'s register was saved at this offset from the canonical frame address.'],
  ['.cfi_rel_offset', 'register, offset', 'As .cfi_offset, counted from the current frame register.'],
  ['.cfi_restore', 'register', 'The register is again as at the start of the function.'],
  ['.cfi_remember_state', '', 'Remembers the unwind rules.'],
  ['.cfi_restore_state', '', 'Takes the remembered unwind rules.'],
  ['.cfi_undefined', 'register', 'The caller\'s register cannot be known any more.'],
  ['.cfi_same_value', 'register', 'The register has not been changed.'],
  ['.cfi_signal_frame', '', 'The function is a signal or interrupt frame.'],
  ['.cfi_sections', 'section[, section]', 'Which of .eh_frame and .debug_frame are made.'],
  ['.cfi_escape', 'byte[, …]', 'Raw bytes of unwind information.'],
  ['.cfi_personality', 'encoding[, symbol]', 'The personality routine.'],
  ['.cfi_lsda', 'encoding[, symbol]', 'The language-specific data.'],
];

export const directives: readonly DirectiveDescription[] = rows.flatMap(([names, usage, text]) =>
  names.split(' ').map((name) => ({ name, usage, text })),
);

const byName = new Map(directives.map((row) => [row.name, row]));

/** A directive by its name with the dot; undefined for one that is not known. */
export const directiveNamed = (name: string): DirectiveDescription | undefined =>
  byName.get(name.toLowerCase());

// prettier-ignore
const preprocessorRows: readonly Row[] = [
  ['#include', '"file" or <file>', 'Reads another file here. `"…"` looks beside this file first.'],
  ['#define', 'name[(parameters)] [replacement]', 'Defines a macro of the C preprocessor.'],
  ['#undef', 'name', 'Forgets a macro of the C preprocessor.'],
  ['#if #elif', 'expression', 'Keeps what follows if the expression is not 0.'],
  ['#ifdef', 'name', 'Keeps what follows if the macro is defined.'],
  ['#ifndef', 'name', 'Keeps what follows if the macro is not defined.'],
  ['#else', '', 'Keeps what follows if nothing of the #if was.'],
  ['#endif', '', 'Ends #if.'],
  ['#error', 'text', 'An error with this text.'],
  ['#warning', 'text', 'A warning with this text.'],
  ['#pragma', 'text', 'A remark to the compiler.'],
  ['#line', 'number ["file"]', 'The line number of the next line.'],
];

export const preprocessorDirectives: readonly DirectiveDescription[] = preprocessorRows.flatMap(
  ([names, usage, text]) => names.split(' ').map((name) => ({ name, usage, text })),
);

const byWord = new Map(preprocessorDirectives.map((row) => [row.name, row]));

/** A line of the C preprocessor by its word: `#include`. Spaces after `#` do not count. */
export const preprocessorDirectiveNamed = (word: string): DirectiveDescription | undefined =>
  byWord.get(word.replace(/\s/g, ''));
