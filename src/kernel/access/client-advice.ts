import type { Clock } from '#kernel/base/clock.ts';
import { nearSpellings, didYouMean } from '#kernel/base/spelling.ts';
import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import type { DeclaredPath } from './authorization/path-access.ts';
import { Client, type ClientSpec } from './kinds/client.ts';

/** Warnings for authors of a Client: no key that still works, and endpoints that do not exist. */
export function clientAdvisor(paths: readonly DeclaredPath[], clock: Clock): Advisor {
  return { kind: Client, advise: (client) => clientAdvice(Client.spec(client), paths, clock()) };
}

function clientAdvice(
  { keys, endpoints = [] }: ClientSpec,
  paths: readonly DeclaredPath[],
  now: Temporal.Instant,
): readonly string[] {
  const works = keys.some(
    ({ notAfter }) => notAfter === undefined || Temporal.Instant.compare(now, Temporal.Instant.from(notAfter)) <= 0,
  );
  const known = paths.map(({ path }) => path);
  return [
    ...(works ? [] : ['spec.keys: all keys have ended, so this Client cannot authenticate; add a newer one.']),
    ...endpoints.flatMap((endpoint, index) =>
      known.includes(endpoint)
        ? []
        : [
            `spec.endpoints[${index}]: there is no path "${endpoint}"${didYouMean(nearSpellings(endpoint, known))}; it allows nothing.`,
          ],
    ),
  ];
}
