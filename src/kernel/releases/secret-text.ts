import { Secret } from '#kernel/access/kinds/secret.ts';
import type { Reader } from '#kernel/store/contract.ts';

/** One key of a Secret. */
export interface SecretKey {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

/** The value of a Secret's key, as text; undefined when it does not exist. Internal: never shown. */
export function secretText(store: Pick<Reader, 'get'>, { namespace, name, key }: SecretKey): string | undefined {
  const data = store.get(Secret, namespace, name)?.object()['data'] as Readonly<Record<string, string>> | undefined;
  const bytes = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
  return bytes === undefined ? undefined : Buffer.from(bytes, 'base64').toString();
}

/** `there is no Secret "NAMESPACE/NAME" with the key "KEY"`, without a full stop. */
export function missingKey({ namespace, name, key }: SecretKey): string {
  return `there is no Secret "${namespace}/${name}" with the key "${key}"`;
}
