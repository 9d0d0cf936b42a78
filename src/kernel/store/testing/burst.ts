/**
 * A child process of the tests: opens a store on a database and writes without pause until it is killed. What a
 * caller or a watcher got is on its standard output, written synchronously, so that nothing is lost.
 */
import { writeSync } from 'node:fs';
import { openDatabase } from '#kernel/postgres/database.ts';
import { openStore } from '../open-store.ts';
import { decideNote, increment, KINDS, put, remove, textOf } from './notes.ts';

const CALLERS = 8;

const [, , url = '', round = ''] = process.argv;
const store = await openStore({ database: openDatabase(url), kinds: KINDS, decide: decideNote });

function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

store.subscribe((changes) => {
  for (const { version, type, entry } of changes) say({ seen: version, type, text: entry.text });
});

await Promise.all(
  Array.from({ length: CALLERS }, async (_, caller) => {
    for (let turn = 0; ; turn++) {
      const requestId = `${round}-${caller}-${turn}`;
      const outcomes = await store.write(
        [
          increment(`counter-${caller}`),
          put(`passing-${caller}`, requestId),
          increment('shared'),
          remove(`passing-${caller}`),
        ],
        { user: 'burst', requestId },
      );
      const counter = outcomes[0]?.entry;
      say({
        answered: requestId,
        versions: outcomes.map((outcome) => outcome.entry.version),
        counter: counter === undefined ? '' : textOf(counter.object()),
      });
    }
  }),
);
