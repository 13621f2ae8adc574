import { useEffect, useRef, useState } from "react";

import { useKioskWords } from "../words";

const FORMATS = ["qr_code", "code_128", "ean_13", "ean_8"];
const LOOK_EVERY_MS = 150;

type CameraState = "starting" | "watching" | "missing" | "refused";

/** Scans codes with the camera, or shows why it cannot. */
export function Camera({ onScan }: { onScan: (text: string) => void }) {
  const words = useKioskWords();
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<CameraState>("starting");
  const use = useRef(onScan);
  use.current = onScan;

  useEffect(() => {
    let isOver = false;
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
      if (isOver || element === null) return stop();
      element.srcObject = stream;
      await element.play();
      setState("watching");
      const look = async () => {
        const [code] = element.readyState >= element.HAVE_CURRENT_DATA ? await detector.detect(element) : [];
        if (isOver) return;
        if (code === undefined) timer = window.setTimeout(() => void look(), LOOK_EVERY_MS);
        else use.current(code.rawValue);
      };
      await look();
    };
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };

    watch().catch(() => {
      if (!isOver) setState("refused");
    });
    return () => {
      isOver = true;
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
