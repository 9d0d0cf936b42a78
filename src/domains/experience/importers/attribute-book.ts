import {
  ATTRIBUTE_NAME_PATTERN,
  attributeObjectName,
  BUILT_IN_ATTRIBUTES,
  TARGETING_KEY,
} from '#kernel/audiences/language/attributes.ts';
import { ATTRIBUTE, GROUP, VERSION } from '#kernel/audiences/language/identity.ts';
import type { Path } from '#kernel/base/failures.ts';
import { UnsupportedSource } from './unsupported-source.ts';
import type { AttributeKind, Translation } from './import-result.ts';

const NAME = new RegExp(ATTRIBUTE_NAME_PATTERN);
const NAME_CHARS_MAX = 100;

/** Attributes that an import needs, by their source name. */
export class AttributeBook {
  readonly #kindOf: (name: string) => AttributeKind;
  readonly #targetingKey: string | undefined;
  readonly #taken = new Set<string>();
  /** By name of the declaring object. */
  readonly #declared = new Map<string, { readonly name: string; readonly made: Translation }>();

  /** @param targetingKey source attribute that contexts here call targetingKey */
  constructor(kindOf: (name: string) => AttributeKind, targetingKey: string | undefined) {
    this.#kindOf = kindOf;
    this.#targetingKey = targetingKey;
  }

  /**
   * The name here of a source attribute, which is declared from now on. Throws UnsupportedSource when it cannot be
   * declared.
   */
  name(source: string, path: Path): string {
    const name = source === this.#targetingKey ? TARGETING_KEY : source;
    if (BUILT_IN_ATTRIBUTES.some((attribute) => attribute.name === name)) return name;
    if (!NAME.test(name) || name.length > NAME_CHARS_MAX) {
      throw new UnsupportedSource(path, `"${name}" is not a valid attribute name, like appVersion or device.os`);
    }
    const objectName = attributeObjectName(name);
    this.#taken.add(objectName);
    const known = this.#declared.get(objectName);
    const other = known?.name ?? BUILT_IN_ATTRIBUTES.find((one) => attributeObjectName(one.name) === objectName)?.name;
    if (other !== undefined && other !== name) {
      throw new UnsupportedSource(
        path,
        `"${name}" and "${other}" would be declared by one object, ${objectName}; rename one`,
      );
    }
    if (known === undefined) {
      const { type, multiValued = false, loose = false } = this.kindOf(name);
      const spec = {
        ...(objectName === name ? {} : { name }),
        type,
        ...(multiValued ? { multiValued } : {}),
        ...(loose ? { loose } : {}),
      };
      const object = {
        apiVersion: `${GROUP}/${VERSION}`,
        kind: ATTRIBUTE.slice(GROUP.length + 1),
        metadata: { name: objectName },
        spec,
      };
      this.#declared.set(objectName, { name, made: { object, path } });
    }
    return name;
  }

  /** Value type of a source attribute. */
  kindOf(source: string): AttributeKind {
    const isBuiltIn = source === this.#targetingKey || BUILT_IN_ATTRIBUTES.some(({ name }) => name === source);
    return isBuiltIn ? { type: 'string' } : this.#kindOf(source);
  }

  /** Object names of the attributes requested since the last call. */
  takeNames(): readonly string[] {
    const taken = [...this.#taken];
    this.#taken.clear();
    return taken;
  }

  translations(): readonly Translation[] {
    return [...this.#declared.values()].map(({ made }) => made);
  }
}
