//! What the shader shows is what `film` says.

use desktop_client::look::{self, Against, Shown};
use desktop_client::state::picture::{Picture, texel};
use egui::{Rect, Vec2};
use egui_kittest::Harness;
use film::{Look, View};
use protocol::Size;

use crate::pictures::{can_draw, vulkan};

const SIDE: u32 = 32;

/// Colours over seven decades, and hues around the wheel.
fn colour(x: u32, y: u32) -> [f32; 3] {
    let light = 10f32.powf(x as f32 / (SIDE - 1) as f32 * 7.0 - 4.0);
    let turn = y as f32 / SIDE as f32 * std::f32::consts::TAU;
    let share = |offset: f32| 0.5 + 0.5 * (turn + offset).cos();
    [share(0.0), share(2.1), share(4.2)].map(|share| light * share)
}

/// The pixels of a window that shows only the picture.
fn drawn(picture: &Picture, look: &Look) -> image::RgbaImage {
    drawn_against(picture, look, None)
}

/// The same, or how far it is apart from another.
fn drawn_against(picture: &Picture, look: &Look, against: Option<Against>) -> image::RgbaImage {
    let (picture, look) = (picture.clone(), look.clone());
    let mut harness = Harness::builder()
        .with_size([SIDE as f32, SIDE as f32])
        .wgpu_setup(vulkan())
        .build_eframe(|cc| {
            look::install(cc.wgpu_render_state.as_ref().expect("drawn by wgpu"));
            Bare { picture, look, against }
        });
    harness.run_steps(2);
    harness.render().expect("a picture")
}

/// An app that is nothing but a picture.
struct Bare {
    picture: Picture,
    look: Look,
    against: Option<Against>,
}

impl eframe::App for Bare {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let place = Rect::from_min_size(egui::Pos2::ZERO, Vec2::splat(SIDE as f32));
        let shown = Shown::of(self.picture.clone(), place, self.look.clone());
        let against = self.against.clone();
        look::paint(ui, place, Shown { is_nearest: true, against, ..shown });
    }
}

#[test]
fn the_shader_shows_what_film_says() {
    if !can_draw() {
        return;
    }
    let mut picture = Picture::new(1, Size::new(SIDE, SIDE));
    let all = protocol::Rect::of_size(picture.size);
    picture.write(all, all.pixels().map(|(x, y)| texel(colour(x, y))).collect());
    let views = [View::Agx, View::AgxPunchy, View::Neutral, View::AcesLike, View::Srgb, View::Raw];
    let warm = "3200,10".parse().expect("a white balance");
    let looks = views.into_iter().flat_map(|view| {
        let of = |exposure_ev| Look { exposure_ev, ..Look::of(view) };
        [of(0.0), of(-3.0), of(4.5), Look { white_balance: warm, ..of(0.0) }]
    });
    for look in looks {
        let shown = drawn(&picture, &look);
        let develop = look.develop();
        let mut worst = 0;
        for (x, y) in all.pixels() {
            // What film gets has been through the same half floats.
            let light = picture.light(x, y).expect("it is there");
            let wanted = develop(light).map(|value| (value * 255.0).round() as i32);
            let got = shown.get_pixel(x, y).0;
            for channel in 0..3 {
                worst = worst.max((i32::from(got[channel]) - wanted[channel]).abs());
            }
        }
        assert!(worst <= 1, "{look:?}: {worst} codes apart");
    }
}

#[test]
fn a_frame_larger_than_a_texture_is_shown() {
    if !can_draw() {
        return;
    }
    // Wider than any device's texture may be; the right half is red.
    let size = Size::new(32_768, 4);
    let mut picture = Picture::new(1, size);
    let half = protocol::Rect { x0: 16_384, y0: 0, x1: 32_768, y1: 4 };
    picture.write(half, vec![texel([1.0, 0.0, 0.0]); half.pixel_count() as usize]);
    let shown = drawn(&picture, &Look::of(View::Srgb));
    let middle = SIDE / 2;
    assert_eq!(shown.get_pixel(middle + 8, middle).0[0], 255);
    assert_eq!(shown.get_pixel(middle - 8, middle).0[0], shown.get_pixel(2, 2).0[0], "nothing");
}

#[test]
fn a_difference_is_what_one_has_and_the_other_has_not() {
    if !can_draw() {
        return;
    }
    let all = protocol::Rect::of_size(Size::new(SIDE, SIDE));
    let of = |id: u64, light: &dyn Fn(u32, u32) -> [f32; 3]| {
        let mut picture = Picture::new(id, Size::new(SIDE, SIDE));
        picture.write(all, all.pixels().map(|(x, y)| texel(light(x, y))).collect());
        picture
    };
    let ramp = |x: u32| x as f32 / SIDE as f32 * 0.5;
    let a = of(1, &|x, _| [ramp(x), 0.25, 0.5]);
    let b = of(2, &|x, y| [0.25, 0.25 + ramp(y) * 0.1, if x == 3 { 0.0 } else { 0.5 }]);
    let place = Rect::from_min_size(egui::Pos2::ZERO, Vec2::splat(SIDE as f32));
    // The view bends nothing of it; exposure and boost magnify it.
    let look = Look { exposure_ev: 1.0, ..Look::of(View::Agx) };
    let shown = |a: &Picture, b: &Picture| {
        let against = Against { picture: b.clone(), place, gain: 2.0 };
        drawn_against(a, &look, Some(against))
    };
    let (there, back) = (shown(&a, &b), shown(&b, &a));
    let mut worst = 0;
    for (x, y) in all.pixels() {
        let pair = a.light(x, y).zip(b.light(x, y)).expect("both are there");
        for channel in 0..3 {
            let gap = ((pair.0[channel] - pair.1[channel]).abs() * 4.0).min(1.0);
            let wanted = (srgb(gap) * 255.0).round() as i32;
            worst = worst.max((i32::from(there.get_pixel(x, y).0[channel]) - wanted).abs());
        }
    }
    assert!(worst <= 1, "{worst} codes apart");
    assert!(there == back, "it has no sign");
    let none = shown(&a, &a.clone());
    assert!(all.pixels().all(|(x, y)| none.get_pixel(x, y).0[..3] == [0; 3]), "nothing is black");

    // Of another size, and more than one texture wide: the same part lies over the same part.
    let wide = Size::new(4096, 4);
    let mut step = Picture::new(3, wide);
    for (x0, light) in [(0, 0.0), (2048, 1.0)] {
        let half = protocol::Rect { x0, y0: 0, x1: x0 + 2048, y1: 4 };
        step.write(half, vec![texel([light; 3]); half.pixel_count() as usize]);
    }
    let even = of(4, &|_, _| [0.0; 3]);
    let shown = shown(&step, &even);
    let at = |x: u32| shown.get_pixel(x, SIDE / 2).0[0];
    assert_eq!((at(2), at(SIDE / 2 - 2), at(SIDE / 2 + 2), at(SIDE - 3)), (0, 0, 255, 255));
}

fn srgb(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}
