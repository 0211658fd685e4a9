import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import tar from 'tar-stream';
import { findProgram } from './find-program.ts';
import type { ContainerdPaths } from './paths.ts';

/** What holds a sandbox's namespaces. It is imported, never pulled, so that no registry is needed to run a pod. */
export const PAUSE_IMAGE = 'sandbox.skypod.io/pause:1';

/** Imports the image into the running containerd. */
export async function importPauseImage(paths: ContainerdPaths): Promise<void> {
  const archive = join(paths.runDirectory, 'pause.tar');
  await writePauseArchive(archive);
  try {
    const parameters = ['--address', paths.socket, '--namespace', 'k8s.io', 'images', 'import', archive];
    await promisify(execFile)('ctr', parameters);
  } finally {
    rmSync(archive, { force: true });
  }
}

/** An OCI image layout (image-spec v1) in a tar file. */
async function writePauseArchive(path: string): Promise<void> {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
  const program = pauseProgram();
  const layer = await tarOf(Object.entries(program.files).map(([name, content]) => ({ name, content, mode: 0o755 })));
  const blobs: { name: string; content: Buffer; mode: number }[] = [];
  const addBlob = (mediaType: string, content: Buffer) => {
    const hash = createHash('sha256').update(content).digest('hex');
    blobs.push({ name: `blobs/sha256/${hash}`, content, mode: 0o644 });
    return { mediaType, digest: `sha256:${hash}`, size: content.length };
  };
  const layerDescriptor = addBlob('application/vnd.oci.image.layer.v1.tar', layer);
  const configuration = addBlob(
    'application/vnd.oci.image.config.v1+json',
    json({
      architecture,
      os: 'linux',
      config: { Entrypoint: program.entrypoint },
      rootfs: { type: 'layers', diff_ids: [layerDescriptor.digest] },
    }),
  );
  const manifest = addBlob(
    'application/vnd.oci.image.manifest.v1+json',
    json({ schemaVersion: 2, config: configuration, layers: [layerDescriptor] }),
  );
  const annotations = { 'io.containerd.image.name': PAUSE_IMAGE, 'org.opencontainers.image.ref.name': '1' };
  const files = [
    { name: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }), mode: 0o644 },
    { name: 'index.json', content: json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }), mode: 0o644 },
    ...blobs,
  ];
  await pipeline([await tarOf(files)], createWriteStream(path));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

async function tarOf(files: { name: string; content: Buffer; mode: number }[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const { name, content, mode } of files) pack.entry({ name, mode, mtime: new Date(0) }, content);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** On x86-64 a program of a few instructions; elsewhere Debian's static busybox. */
function pauseProgram(): { files: Record<string, Buffer>; entrypoint: string[] } {
  if (process.arch === 'x64') return { files: { pause: pauseElf() }, entrypoint: ['/pause'] };
  const busybox = findProgram('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed (Debian package busybox-static)');
  const script = 'trap "exit 0" TERM INT; while :; do sleep 2147483647 & wait; done';
  return { files: { busybox: readFileSync(busybox) }, entrypoint: ['/busybox', 'sh', '-c', script] };
}

// Blocks SIGCHLD, SIGTERM and SIGINT and waits for one of them: reaps the pod's orphans on the first (it is process 1 of
// a pod with a shared process namespace), ends on the others.
const PAUSE_CODE = `
  68 02 40 01 00        push 0x14002                # the signals, as a set on the stack
  b8 0e 00 00 00        mov eax, 14                 # rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
  31 ff                 xor edi, edi
  48 89 e6              mov rsi, rsp
  31 d2                 xor edx, edx
  41 ba 08 00 00 00     mov r10d, 8
  0f 05                 syscall
  b8 80 00 00 00        mov eax, 128                # wait: rt_sigtimedwait(set, NULL, NULL, 8)
  48 89 e7              mov rdi, rsp
  31 f6                 xor esi, esi
  31 d2                 xor edx, edx
  41 ba 08 00 00 00     mov r10d, 8
  0f 05                 syscall
  83 f8 02              cmp eax, 2                  # SIGINT
  74 23                 je exit
  83 f8 0f              cmp eax, 15                 # SIGTERM
  74 1e                 je exit
  b8 3d 00 00 00        mov eax, 61                 # reap: wait4(-1, NULL, WNOHANG, NULL)
  48 c7 c7 ff ff ff ff  mov rdi, -1
  31 f6                 xor esi, esi
  ba 01 00 00 00        mov edx, 1
  45 31 d2              xor r10d, r10d
  0f 05                 syscall
  85 c0                 test eax, eax
  7f e4                 jg reap
  eb c4                 jmp wait
  b8 3c 00 00 00        mov eax, 60                 # exit: exit(0)
  31 ff                 xor edi, edi
  0f 05                 syscall
`;

/** A 64-bit ELF file of one segment: header, one program header, code. */
function pauseElf(): Buffer {
  const code = Buffer.from(
    PAUSE_CODE.split('\n')
      .map((line) => /^\s+((?:[0-9a-f]{2} )+) /.exec(line)?.[1].replaceAll(' ', '') ?? '')
      .join(''),
    'hex',
  );
  const loadAddress = 0x400000n;
  const headerBytes = 64 + 56;
  const header = Buffer.alloc(headerBytes);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(loadAddress + BigInt(headerBytes), 24); // entry point
  header.writeBigUInt64LE(64n, 32); // offset of the program header
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const size = BigInt(headerBytes + code.length);
  header.writeUInt32LE(1, 64); // to be loaded
  header.writeUInt32LE(5, 68); // readable, executable
  header.writeBigUInt64LE(loadAddress, 80);
  header.writeBigUInt64LE(loadAddress, 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}
