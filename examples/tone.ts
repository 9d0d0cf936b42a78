const SAMPLES_PER_SECOND = 8_000;
const HEAD_BYTES = 44;

/** A tone as a WAV file: one channel, 8 bits a sample. */
export function toneWav(hertz: number, seconds: number): Buffer {
  const samples = SAMPLES_PER_SECOND * seconds;
  const file = Buffer.alloc(HEAD_BYTES + samples);
  file.write('RIFF', 0);
  file.writeUInt32LE(HEAD_BYTES - 8 + samples, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(SAMPLES_PER_SECOND, 24);
  file.writeUInt32LE(SAMPLES_PER_SECOND, 28);
  file.writeUInt16LE(1, 32);
  file.writeUInt16LE(8, 34);
  file.write('data', 36);
  file.writeUInt32LE(samples, 40);
  for (let at = 0; at < samples; at += 1) {
    file[HEAD_BYTES + at] = 128 + 60 * Math.sin((2 * Math.PI * hertz * at) / SAMPLES_PER_SECOND);
  }
  return file;
}
