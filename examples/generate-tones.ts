/**
 * Makes the audio files of the sample business's ads: `node examples/generate-tones.ts FOLDER`. Each advertiser has a tone of its own,
 * so that one can hear whose ad plays. Serve the folder where `https://cdn.example.com/aria` leads in your set-up.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ADVERTISER_NAMES, TONE_SECONDS } from './generate-aria-ads.ts';
import { toneWav } from './tone.ts';

/** Of the lowest tone; each next one is a semitone higher. */
const FIRST_HZ = 220;

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name the folder for the files: node examples/generate-tones.ts FOLDER');
  process.exit(2);
}
for (const [index, name] of ADVERTISER_NAMES.entries()) {
  await mkdir(join(folder, name), { recursive: true });
  const hz = FIRST_HZ * 2 ** ((index % 24) / 12);
  for (const seconds of TONE_SECONDS) await writeFile(join(folder, name, `tone-${seconds}.wav`), toneWav(hz, seconds));
}
console.log(`wrote ${ADVERTISER_NAMES.length * TONE_SECONDS.length} files to ${folder}`);
