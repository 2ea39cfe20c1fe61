//! Arithmetic and validation over the whole range of their input.

use proptest::prelude::*;
use protocol::*;

proptest! {
    #[test]
    fn amounts_survive_their_text(micro in any::<u128>()) {
        let amount = Tokens::from_micro(micro);
        prop_assert_eq!(amount.to_string().parse::<Tokens>(), Ok(amount));
    }

    #[test]
    fn any_text_is_an_amount_or_not_without_a_panic(text in ".{0,60}") {
        let _outcome = text.parse::<Tokens>();
        let _outcome = text.parse::<JobId>();
    }

    #[test]
    fn any_range_of_frames_is_judged(
        first in any::<u32>(), last in any::<u32>(), step in any::<u32>(), fps in any::<f32>(),
    ) {
        let spec = JobSpec {
            more_cameras: Vec::new(),
            name: "any".into(),
            scene: SceneId([0; 32]),
            settings: RenderSettings::default(),
            frames: FrameRange { first, last, step, fps },
            tile_side_px: 128,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        if spec.validate().is_ok() {
            prop_assert_eq!(spec.frames.frames().count(), spec.frames.count() as usize);
        }
    }

    #[test]
    fn any_settings_are_judged_and_the_good_ones_can_be_cut(
        width in any::<u32>(), height in any::<u32>(), samples in any::<u32>(),
        bounces in any::<u32>(), overscan in any::<u32>(), crop in any::<Option<[i32; 4]>>(), sky in any::<[f32; 3]>(), eye in any::<[f32; 3]>(),
    ) {
        let settings = RenderSettings {
            size: Size::new(width >> (width % 32), height >> (height % 32)),
            crop: crop.map(|[x, y, width, height]| Crop {
                x: x >> (x & 31),
                y: y >> (y & 31),
                size: Size::new(width.unsigned_abs() >> (width & 31), height.unsigned_abs() >> (height & 31)),
            }),
            overscan: overscan >> (overscan % 32),
            samples: samples >> (samples % 32),
            bounces: bounces >> (bounces % 32),
            camera: CameraChoice::LookAt { eye, target: [0.0; 3], vfov_degrees: 45.0 },
            lighting: Lighting { sun: None, sky: Some(sky.map(f32::abs)) },
            ..RenderSettings::default()
        };
        if settings.validate().is_ok() {
            let grid = TileGrid::new(settings.window(), limits::TILE_SIDE_PX_MIN);
            prop_assert!(grid.tile_count() >= 1);
            let last = TileIndex(grid.tile_count() - 1);
            let corner = grid.rect(last).expect("the last tile");
            prop_assert_eq!((corner.x1, corner.y1), (settings.window().x1, settings.window().y1));
        }
    }

    #[test]
    fn a_share_of_an_amount_is_never_more_than_it(
        micro in 0..1_u128 << 90, numerator in 0..1_u128 << 30, more in 1..1_u128 << 30,
    ) {
        let amount = Tokens::from_micro(micro);
        let share = amount.checked_mul_div(numerator, numerator + more).expect("within u128");
        prop_assert!(share <= amount);
    }
}
