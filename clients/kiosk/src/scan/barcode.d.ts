/** The part of the Shape Detection API that is used; TypeScript's DOM types do not have it yet. */
interface DetectedBarcode {
  readonly rawValue: string;
}

declare class BarcodeDetector {
  constructor(options?: { formats?: readonly string[] });
  static getSupportedFormats(): Promise<readonly string[]>;
  detect(source: CanvasImageSource): Promise<readonly DetectedBarcode[]>;
}

interface Window {
  readonly BarcodeDetector?: typeof BarcodeDetector;
}
