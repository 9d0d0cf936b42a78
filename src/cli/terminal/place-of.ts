import { CliFailure, EXIT } from './failure.ts';

/** An object by its name, in the namespace of the options or the connection, or as NAMESPACE/NAME. */
export function placeOf(
  given: string,
  { namespace }: { readonly namespace?: string | undefined },
  usual: { readonly namespace: string },
): { readonly namespace: string; readonly name: string } {
  const [first = '', second, ...more] = given.split('/');
  if (second === undefined) return { namespace: namespace ?? usual.namespace, name: first };
  if (first === '' || second === '' || more.length > 0) throw wrongName(`${given} is no name.`);
  if (namespace !== undefined && namespace !== first) {
    throw wrongName(`${given} is in the namespace ${first}, and -n names ${namespace}.`);
  }
  return { namespace: first, name: second };
}

function wrongName(message: string): CliFailure {
  return new CliFailure(message, { exitCode: EXIT.usage, remedy: 'Write NAME, with -n NAMESPACE, or NAMESPACE/NAME.' });
}
