import { systemClock } from '#kernel/base/clock.ts';
import type { Effect } from '#simulation/effect.ts';
import { simulateListeners } from '#simulation/run.ts';
import { connectionFrom, type ConnectionOptions } from './api/connection.ts';
import { CliFailure, EXIT } from './terminal/failure.ts';
import type { Io } from './terminal/io.ts';
import { stopSignal } from './terminal/stop-signal.ts';

export type SimulateOptions = ConnectionOptions & {
  readonly count: number;
  readonly seed: number;
  readonly rate: number;
  readonly sessions?: number;
  readonly effect?: readonly string[];
};

const EFFECT = /^([^=]+)=([^:]+):(plays|skips|subscriptions):(\d+(?:\.\d+)?)$/;

const RELEASE_EFFECT = /^release:([a-z0-9.-]+):conversions:(\d+(?:\.\d+)?)$/;

/** `backline simulate listeners`: plays the app for made-up listeners, until it is stopped or done. */
export async function simulate(options: SimulateOptions, io: Io): Promise<number> {
  const effects = (options.effect ?? []).map(parseEffect);
  using stop = stopSignal();
  let shownMs = 0;
  const result = await simulateListeners({
    connection: connectionFrom(options, io),
    listeners: options.count,
    seed: options.seed,
    sessionsPerSecond: options.rate,
    sessions: options.sessions,
    effects,
    clock: systemClock,
    signal: stop.signal,
    progress: (done) => {
      if (performance.now() - shownMs < 1_000) return;
      shownMs = performance.now();
      io.stderr.write(`${sayProgress(done)}\n`);
    },
  });
  io.stdout.write(`${sayProgress(result)}\n`);
  if (result.sessions > 0 || result.failed === 0) return EXIT.ok;
  throw new CliFailure(`no session went through: ${result.lastFailure ?? ''}`, { exitCode: EXIT.failed });
}

function sayProgress(done: Awaited<ReturnType<typeof simulateListeners>>): string {
  const { sessions, visits, ads, impressions, accepted, duplicates, quarantined, failed, lastFailure } = done;
  const wrong = failed === 0 ? '' : ` · ${failed} failed (${lastFailure ?? ''})`;
  return `${sessions} sessions, ${visits} visits of the shop, ${impressions} of ${ads} ads heard · ${accepted} events accepted, ${duplicates} repeated, ${quarantined} quarantined${wrong}`;
}

function parseEffect(text: string): Effect {
  const [, release, less = ''] = RELEASE_EFFECT.exec(text) ?? [];
  if (release !== undefined) return { release, on: 'conversions', factor: Number(less) };
  const [, flag = '', variant = '', on = '', factor = ''] = EFFECT.exec(text) ?? [];
  if (on === 'plays' || on === 'skips' || on === 'subscriptions') return { flag, variant, on, factor: Number(factor) };
  throw new CliFailure(`--effect ${text} cannot be read.`, {
    exitCode: EXIT.usage,
    remedy:
      'Write it like home-layout=shelves:plays:1.05 (flag, variant, plays | skips | subscriptions, factor), or like release:NAME:conversions:0.5.',
  });
}
