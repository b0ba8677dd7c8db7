/** Every kind of section on pages of its own, so that the loader can protect them; headers for boot loaders first. */
export function defaultScript(address: bigint, entry: string | undefined): string {
  return `${entry ? `ENTRY(${entry})\n` : ''}SECTIONS
{
  . = 0x${address.toString(16)};
  .head : { KEEP(*(.multiboot .multiboot.* .multiboot_* .head .head.*)) }
  .text : ALIGN(4096) { *(.text .text.*) }
  .rodata : ALIGN(4096) { *(.rodata .rodata.*) }
  .hypercalls : ALIGN(64) { KEEP(*(.hypercalls)) }
  .data : ALIGN(4096) { *(.data .data.*) }
  .bss : ALIGN(4096) { *(.bss .bss.* COMMON) }
  /DISCARD/ : { *(.note .note.* .comment .eh_frame .eh_frame_hdr) }
}
`;
}
