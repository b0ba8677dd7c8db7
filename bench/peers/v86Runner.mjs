// Child process of the benchmark: node v86Runner.mjs PACKAGE IMAGE MEMORY boots a multiboot image in v86.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [folder, image, memorySize] = process.argv.slice(2);
const { V86 } = await import(pathToFileURL(join(folder, 'build/libv86.mjs')).href);

const emulator = new V86({
  wasm_path: join(folder, 'build/v86.wasm'),
  memory_size: Number(memorySize),
  vga_memory_size: 2 * 2 ** 20,
  multiboot: { buffer: Uint8Array.from(readFileSync(image)).buffer },
  // The local APIC belongs to it.
  acpi: true,
  autostart: true,
  disable_speaker: true,
});
emulator.add_listener('serial0-output-byte', (byte) => process.stdout.write(Uint8Array.of(byte)));
