/** The Shape Detection API, which TypeScript's DOM does not have yet. */
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
