import { useEffect, useRef, useState } from "react";

import { useKioskWords } from "../words";

const FORMATS = ["qr_code", "code_128", "ean_13", "ean_8"];
const DETECT_EVERY_MS = 150;

type CameraState = "starting" | "watching" | "missing" | "refused";

/** Scans codes with the camera, or shows why it cannot. */
export function Camera({ onScan }: { onScan: (text: string) => void }) {
  const words = useKioskWords();
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<CameraState>("starting");
  const callback = useRef(onScan);
  callback.current = onScan;

  useEffect(() => {
    let isUnmounted = false;
    let stream: MediaStream | undefined;
    let timer: number | undefined;

    const watch = async () => {
      const Detector = window.BarcodeDetector;
      if (Detector === undefined || !("mediaDevices" in navigator)) return setState("missing");
      const supported = await Detector.getSupportedFormats();
      const detector = new Detector({ formats: FORMATS.filter((format) => supported.includes(format)) });
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
      } catch {
        return setState("refused");
      }
      const element = video.current;
      if (isUnmounted || element === null) return stop();
      element.srcObject = stream;
      await element.play();
      setState("watching");
      const detect = async () => {
        const [code] = element.readyState >= element.HAVE_CURRENT_DATA ? await detector.detect(element) : [];
        if (isUnmounted) return;
        if (code === undefined) timer = window.setTimeout(() => void detect(), DETECT_EVERY_MS);
        else callback.current(code.rawValue);
      };
      await detect();
    };
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };

    watch().catch(() => {
      if (!isUnmounted) setState("refused");
    });
    return () => {
      isUnmounted = true;
      window.clearTimeout(timer);
      stop();
    };
  }, []);

  return (
    <div className="camera" data-camera={state}>
      <video ref={video} muted playsInline aria-label={words.camera.title} hidden={state !== "watching"} />
      {state !== "watching" && <p role="status">{words.camera[state]}</p>}
    </div>
  );
}
